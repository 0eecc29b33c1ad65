// What cannot be carried, whoever translates: the one place of exceptions. Every
// pattern that is given must fit.
const table = [
  {
    client: /^openai chat$/, provider: /^(openai|azure|direct openai)$/, feature: /^reasoning$/,
    why: 'Chat Completions of OpenAI itself does not show reasoning',
  },
  {
    client: /^ai openai-chat$/, feature: /^reasoning$/,
    why: "the AI SDK's client of Chat Completions does not read reasoning",
  },
  {
    provider: /^(openai|azure|direct openai)$/, client: /^(openai chat|ai openai-chat)/, feature: /^thinkloop$/,
    why: 'Chat Completions of OpenAI itself has no place for signed reasoning',
  },
  {
    provider: /^ollama$/, feature: /^forced$/,
    why: 'Ollama has no tool choice',
  },
]

// Of all else the gateway must not say that it left it out, but for these.
const leftOut = [
  // Reasoning that nobody signed, or that another vendor did, is not for the provider.
  { feature: /^thinkloop$/, what: /^\/(messages|input|contents)\/\d/ },
  // What a server of unknown make does not get: it might refuse it.
  { provider: /^compat$/, what: /effort|thinkingConfig/ },
  // Advice that few providers take; a client of Responses gives it by silence, too.
  { what: /^\/tools\/\d\/strict$/ },
]

const fits = (row, at) => Object.keys(row).every((k) => !(row[k] instanceof RegExp) || row[k].test(at[k]))

/** The reason why a client cannot have a feature of a provider, if there is one. */
export const cannot = (at) => table.find((row) => fits(row, at))?.why

export const mayLeaveOut = (at, what) => leftOut.some((row) => fits(row, { ...at, what }))
