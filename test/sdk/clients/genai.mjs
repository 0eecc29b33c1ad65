// Google's SDK, with its chats, which keep the history by themselves.
import { GoogleGenAI } from '@google/genai'
import { listen, num, parse, seconds } from './shared.mjs'

const sdk = (base, apiKey) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: base } })

const stops = { STOP: 'end', MAX_TOKENS: 'length' }

function config(spec) {
  const c = { systemInstruction: spec.system, maxOutputTokens: spec.maxTokens }
  if (spec.tools)
    c.tools = [{ functionDeclarations: spec.tools.map(({ name, description, schema }) => ({ name, description, parametersJsonSchema: schema })) }]
  if (spec.choice) c.toolConfig = { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: [spec.choice] } }
  if (spec.think) c.thinkingConfig = { includeThoughts: true, thinkingLevel: 'LOW' }
  if (spec.schema) Object.assign(c, { responseMimeType: 'application/json', responseJsonSchema: spec.schema })
  return c
}

async function once(chat, message, spec) {
  const chunks = []
  if (spec.mode === 'plain') chunks.push(await chat.sendMessage({ message }))
  else
    await listen(spec, chat.sendMessageStream({ message }), (c, heard) => {
      chunks.push(c)
      for (const p of c.candidates?.[0]?.content?.parts ?? []) if (!p.thought) heard.text += p.text ?? ''
    })
  const got = { text: '', reasoning: '', made: [], usage: undefined, finish: undefined }
  for (const c of chunks) {
    got.usage = c.usageMetadata ?? got.usage
    got.finish = c.candidates?.[0]?.finishReason ?? got.finish
    for (const p of c.candidates?.[0]?.content?.parts ?? []) {
      if (p.functionCall) got.made.push(p.functionCall)
      else if (p.thought) got.reasoning += p.text ?? ''
      else got.text += p.text ?? ''
    }
  }
  return got
}

async function ask(spec) {
  const chat = sdk(spec.base, spec.key).chats.create({ model: spec.model, config: config(spec) })
  let message = [{ text: spec.prompt }]
  if (spec.image) message.push({ inlineData: { mimeType: 'image/png', data: spec.image } })
  const calls = []
  for (;;) {
    const { text, reasoning, made, usage: u, finish } = await once(chat, message, spec)
    calls.push(...made.map(({ name, args }) => ({ name, args: args ?? {} })))
    if (made.length && !spec.choice) {
      if (calls.length > 4) throw new Error('the loop does not end')
      // Here the order of results has to be that of the calls.
      message = made.map(({ id, name, args }) => {
        const response = JSON.parse(spec.tools.find((t) => t.name === name).run(args ?? {}))
        return { functionResponse: { ...(id && { id }), name, response } }
      })
      continue
    }
    return {
      text, reasoning, calls,
      stop: stops[finish] ?? finish,
      usage: u && {
        input: u.promptTokenCount, output: num(u.candidatesTokenCount) + num(u.thoughtsTokenCount),
        cached: num(u.cachedContentTokenCount), reasoning: num(u.thoughtsTokenCount),
      },
      object: spec.schema && JSON.parse(text),
    }
  }
}

export const genai = {
  name: 'google genai',
  speaks: 'gemini',
  modes: ['plain', 'stream'],
  direct: { name: 'direct gemini', path: '/gemini' },
  kinds: { invalid: 'INVALID_ARGUMENT', limited: 'RESOURCE_EXHAUSTED', overloaded: 'UNAVAILABLE' },
  overloaded: 503,
  countsReasoning: true,
  ask,
  error(e) {
    const body = parse(e.message)?.error
    return {
      status: e.status, kind: body?.status, message: String(body?.message ?? e.message), partial: e.partial,
      retryAfter: seconds(body?.details?.find((d) => d.retryDelay)?.retryDelay),
    }
  },
  async count(spec) {
    const contents = [{ role: 'user', parts: [{ text: spec.prompt }] }]
    return (await sdk(spec.base, spec.key).models.countTokens({ model: spec.model, contents })).totalTokens
  },
  embed: [
    async function embedContent(base, key, model, input) {
      return (await sdk(base, key).models.embedContent({ model, contents: input })).embeddings.map((e) => e.values)
    },
  ],
  async models(base, key) {
    const list = []
    for await (const m of await sdk(base, key).models.list()) list.push(m.name.replace(/^models\//, ''))
    return { list, one: (await sdk(base, key).models.get({ model: 'alias' })).name.replace(/^models\//, '') }
  },
}
