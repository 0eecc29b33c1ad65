// The features: what is asked of a client, and what must come out. A client gives
// its answer in one form, whatever its SDK's own is:
//
//   {text, reasoning, calls: [{name, args}], stop, usage, object}
//
// run returns false where a client or a provider has nothing to test.
import { isDeepStrictEqual } from 'node:util'
import { readFileSync } from 'node:fs'

export const facts = JSON.parse(readFileSync(new URL('facts.json', import.meta.url)))

const text = facts.text.join('')
const final = facts.final.join('')
const thought = facts.thought.join('')

const show = (v) => JSON.stringify(v)

function same(what, got, want) {
  if (!isDeepStrictEqual(got, want)) throw new Error(`${what} is ${show(got)} instead of ${show(want)}`)
}

/** What a client is asked in each scenario; tools answer for themselves. */
function spec({ provider, mode, base, key }, scenario, more = {}) {
  return {
    base, key, mode,
    model: provider.model.replace('*', scenario),
    system: facts.system,
    prompt: facts.prompt,
    maxTokens: facts.maxTokens,
    ...more,
  }
}

const tools = facts.tools.map((t) => ({ ...t, run: (args) => (same(`the arguments of ${t.name}`, args, t.args), t.result) }))

async function says(context, scenario, more, want) {
  const got = await context.client.ask(spec(context, scenario, more))
  for (const [what, value] of Object.entries(want)) same(what, got[what], value)
  return got
}

/** A tool loop: the calls that were made on the way, and the text at its end. */
const loop = (scenario, n, more = {}) => (context) =>
  says(context, scenario, { tools, ...more }, {
    calls: facts.tools.slice(0, n).map(({ name, args }) => ({ name, args })),
    text: final,
    stop: 'end',
  })

let tickets = 0

const once = (f) => {
  let done
  return () => (done ??= f())
}

/** An error must be thrown, and be what it is in the format of the client. */
function fails(scenario, check) {
  return async (context) => {
    let got
    const ticket = `${++tickets}`
    const heard = () => fetch(`${context.standIn}/heard/${ticket}`)
    try {
      got = await context.client.ask(spec(context, `${scenario}.${ticket}`, { heard: once(heard) }))
    } catch (e) {
      const error = context.client.error(e)
      try {
        check(error, context)
      } catch (failed) {
        throw new Error(`${failed.message} (${show(error)})`)
      }
      return
    }
    throw new Error(`no error came but ${show(got)}`)
  }
}

const status = (want, kind, mayRetryAfter) => (error, { client }) => {
  same('the status', error.status, want)
  if (!error.message.includes(facts.error)) throw new Error('the message is not the provider\'s')
  if (client.kinds) same('the kind', error.kind, client.kinds[kind])
  if (mayRetryAfter) same('retry-after', error.retryAfter, facts.retryAfter)
}

/**
 * An error before content is as good as one instead of a stream, where nothing
 * of the stream is passed on as it came.
 */
const early = (error, { client, provider }) => {
  if (!(error.status >= 400) && !provider.speaks?.includes(client.speaks)) throw new Error('the status tells of no error')
  if (error.partial) throw new Error('something came before the error')
  if (!error.message.includes(facts.error)) throw new Error('the message is not the provider\'s')
}

/** An error after content: it ends the stream, and nothing looks like its end. */
const late = (named) => (error) => {
  if (!error.partial) throw new Error('nothing came before the error')
  if (!text.startsWith(error.partial)) throw new Error('what came before the error is not what was sent')
  if (named && !error.message.includes(facts.error)) throw new Error('the message is not the provider\'s')
}

export const features = {
  text: { run: (c) => says(c, 'text', {}, { text, stop: 'end', reasoning: '', calls: [] }) },
  usage: {
    run: (c) => {
      const { input, cached, output, reasoning } = facts.usage
      return says(c, 'usage', {}, {
        usage: { input, output, cached: c.provider.cached ? cached : 0, reasoning: c.provider.reasoning && c.client.countsReasoning ? reasoning : 0 },
      })
    },
  },
  length: { run: (c) => says(c, 'length', {}, { text, stop: 'length' }) },
  tools: { run: loop('tools', 1) },
  parallel: { run: loop('parallel', 2) },
  forced: {
    run: (c) => says(c, 'forced', { tools, choice: facts.tools[1].name }, { calls: [{ name: facts.tools[1].name, args: {} }], text: '' }),
  },
  schema: { run: (c) => says(c, 'schema', { schema: facts.schema }, { object: facts.object, stop: 'end' }) },
  image: { run: (c) => says(c, 'image', { image: facts.image }, { text, stop: 'end' }) },
  reasoning: { run: (c) => says(c, 'reasoning', { think: true }, { reasoning: thought, text, stop: 'end' }) },
  thinkloop: { run: loop('thinkloop', 2, { think: true }) },
  invalid: { run: fails('error-400', status(400, 'invalid')) },
  limited: { run: fails('error-429', status(429, 'limited', true)) },
  overloaded: {
    run: fails('error-503', (error, context) => status(context.client.overloaded, 'overloaded')(error, context)),
  },
  // A provider that refuses the gateway's own key is no fault of the client's.
  credential: {
    run: fails('error-401', (error, { provider }) => {
      if (provider.name.startsWith('direct')) return
      if (!(error.status >= 500)) throw new Error('the status blames the client')
    }),
  },
  early: { modes: ['stream', 'helper'], run: (c) => !c.provider.name.startsWith('direct') && fails('early', early)(c) },
  late: { modes: ['stream', 'helper'], run: fails('late', late(true)) },
  // What a provider's stream lacks at its end the gateway sees, not every SDK.
  cut: { modes: ['stream', 'helper'], run: (c) => !c.provider.name.startsWith('direct') && fails('cut', late(false))(c) },
  count: {
    modes: ['plain'],
    run: async (c) => {
      if (!c.client.count) return false
      const n = await c.client.count(spec(c, 'text'))
      if (c.provider.counts) same('the count', n, facts.count)
      else if (!(n > 5 && n < 200)) throw new Error(`the estimate is ${n}`)
    },
  },
  embeddings: {
    modes: ['plain'],
    run: async (c) => {
      if (!c.client.embed || !c.provider.embed) return false
      for (const variant of c.client.embed) {
        same(`${variant.name} of two`, await variant(c.base, c.key, c.provider.embed, facts.inputs), facts.vectors)
        same(`${variant.name} of one`, await variant(c.base, c.key, c.provider.embed, facts.inputs[0]), [facts.vectors[0]])
      }
    },
  },
  models: {
    modes: ['plain'],
    run: async (c) => {
      // The list is the gateway's own: one provider is enough.
      if (!c.client.models || c.provider.name !== 'openai') return false
      const { list, one } = await c.client.models(c.base, c.key)
      if (!list.includes('alias')) throw new Error(`the list is ${show(list)}`)
      same('the one model', one, 'alias')
    },
  },
}
