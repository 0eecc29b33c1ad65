// The AI SDK with the providers of three vendors. It runs the tools by itself.
import { embed, embedMany, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from 'ai'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createGoogleGenerativeAI } from '@ai-sdk/google'
import { createOpenAI } from '@ai-sdk/openai'
import { asError, imageURL, num, parse, seconds } from './shared.mjs'

const stops = { stop: 'end', 'tool-calls': 'tools', length: 'length' }

function params(spec, model, options) {
  const content = [{ type: 'text', text: spec.prompt }]
  if (spec.image) content.push({ type: 'image', image: imageURL(spec) })
  return {
    model,
    system: spec.system,
    messages: [{ role: 'user', content }],
    maxOutputTokens: spec.maxTokens,
    maxRetries: 0,
    providerOptions: options,
    stopWhen: stepCountIs(spec.choice ? 1 : 4),
    ...(spec.choice && { toolChoice: { type: 'tool', toolName: spec.choice } }),
    ...(spec.schema && { output: Output.object({ schema: jsonSchema(spec.schema) }) }),
    ...(spec.tools && {
      tools: Object.fromEntries(
        spec.tools.map((t) => [
          t.name,
          tool({ description: t.description, inputSchema: jsonSchema(t.schema), execute: async (args) => JSON.parse(t.run(args)) }),
        ]),
      ),
    }),
  }
}

async function stream(p, spec) {
  const r = streamText({ ...p, onError() {} })
  let partial = '', error, finish
  for await (const e of r.fullStream) {
    if (e.type === 'text-delta') partial += e.text
    if (partial) spec.heard?.()
    if (e.type === 'tool-error') error ??= e.error
    if (e.type === 'error') error ??= e.error
    if (e.type === 'finish') finish = e.finishReason
  }
  if (error) {
    error = Object.assign(asError(error), { partial })
    if (finish && finish !== 'error') error.message = `the stream went on to finish with ${finish} after: ${error.message}`
    throw error
  }
  return r
}

const ask = (pick, think) => async (spec) => {
  const p = params(spec, pick(spec.base, spec.key, spec.model), think(spec))
  const r = spec.mode === 'plain' ? await generateText(p) : await stream(p, spec)
  const steps = await r.steps
  const failed = steps.flatMap((s) => s.content).find((c) => c.type === 'tool-error')
  if (failed) throw failed.error
  const last = steps.at(-1)
  const u = last.usage
  return {
    text: last.text,
    reasoning: last.reasoningText ?? '',
    calls: steps.flatMap((s) => s.toolCalls).map((c) => ({ name: c.toolName, args: c.input })),
    stop: stops[last.finishReason] ?? last.finishReason,
    usage: {
      input: u.inputTokens, output: u.outputTokens,
      cached: num(u.inputTokenDetails?.cacheReadTokens), reasoning: num(u.outputTokenDetails?.reasoningTokens),
    },
    object: spec.schema && (await r.output),
  }
}

const retryDelay = (body) => Array.isArray(body?.details) && body.details.find((d) => d.retryDelay)?.retryDelay

const shared = {
  modes: ['plain', 'stream'],
  countsReasoning: true,
  error(e) {
    const body = parse(e.responseBody)?.error
    return {
      status: e.statusCode, message: String(body?.message ?? e.message), partial: e.partial,
      retryAfter: seconds(e.responseHeaders?.['retry-after'] ?? (retryDelay(body) || undefined)),
    }
  },
}

const vectors = (model) => async (base, key, name, input) => {
  const m = model(base, key, name)
  if (Array.isArray(input)) return (await embedMany({ model: m, values: input, maxRetries: 0 })).embeddings
  return [(await embed({ model: m, value: input, maxRetries: 0 })).embedding]
}

const openai = (base, apiKey) => createOpenAI({ baseURL: base + '/v1', apiKey })
const google = (base, apiKey) => createGoogleGenerativeAI({ baseURL: base + '/v1beta', apiKey })

export const aiOpenAIChat = {
  ...shared,
  name: 'ai openai-chat',
  speaks: 'chat',
  direct: { name: 'direct openai', path: '/openai' },
  overloaded: 503,
  ask: ask(
    (base, key, model) => openai(base, key).chat(model),
    // Models behind an address it takes for ones that do not reason.
    (spec) => ({ openai: { forceReasoning: true, ...(spec.think && { reasoningEffort: 'low' }) } }),
  ),
  embed: [vectors((base, key, model) => openai(base, key).textEmbeddingModel(model))],
}

export const aiOpenAIResponses = {
  ...shared,
  name: 'ai openai-responses',
  speaks: 'responses',
  direct: { name: 'direct openai', path: '/openai' },
  overloaded: 503,
  ask: ask(
    (base, key, model) => openai(base, key).responses(model),
    (spec) => ({
      openai: { store: false, forceReasoning: true, ...(spec.think && { reasoningEffort: 'low', reasoningSummary: 'auto' }) },
    }),
  ),
}

/** As it is by default: with references to items that OpenAI would have stored. */
export const aiOpenAIStored = {
  ...aiOpenAIResponses,
  name: 'ai openai-responses stored',
  only: ['text', 'tools', 'parallel', 'thinkloop'],
  ask: ask(
    (base, key, model) => openai(base, key).responses(model),
    (spec) => ({ openai: spec.think ? { forceReasoning: true, reasoningEffort: 'low', reasoningSummary: 'auto' } : {} }),
  ),
}

export const aiAnthropic = {
  ...shared,
  name: 'ai anthropic',
  speaks: 'messages',
  direct: { name: 'direct anthropic', path: '/anthropic' },
  overloaded: 529,
  ask: ask(
    (base, key, model) => createAnthropic({ baseURL: base + '/v1', apiKey: key })(model),
    (spec) => ({
      anthropic: {
        structuredOutputMode: 'outputFormat',
        ...(spec.think && { thinking: { type: 'adaptive', display: 'summarized' }, effort: 'low' }),
      },
    }),
  ),
}

export const aiGoogle = {
  ...shared,
  name: 'ai google',
  speaks: 'gemini',
  direct: { name: 'direct gemini', path: '/gemini' },
  overloaded: 503,
  ask: ask(
    // A name with a slash it takes for a whole path.
    (base, key, model) => google(base, key)(`models/${model}`),
    (spec) => ({ google: spec.think ? { thinkingConfig: { includeThoughts: true, thinkingLevel: 'low' } } : {} }),
  ),
  embed: [vectors((base, key, model) => google(base, key).textEmbeddingModel(model))],
}
