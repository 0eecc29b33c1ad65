// OpenAI's SDK: Chat Completions and Responses.
import OpenAI from 'openai'
import { makeParseableResponseFormat, makeParseableTextFormat } from 'openai/lib/parser'
import { imageURL, listen, num, results, seconds } from './shared.mjs'

const sdk = (base, apiKey) => new OpenAI({ baseURL: base + '/v1', apiKey, maxRetries: 0 })

function error(e) {
  return {
    status: e.status, kind: e.constructor.name, message: String(e.message), partial: e.partial,
    retryAfter: seconds(e.headers?.get?.('retry-after')),
  }
}

const shared = {
  modes: ['plain', 'stream', 'helper'],
  direct: { name: 'direct openai', path: '/openai' },
  kinds: { invalid: 'BadRequestError', limited: 'RateLimitError', overloaded: 'InternalServerError' },
  overloaded: 503,
  countsReasoning: true,
  error,
}

// ---- Chat Completions ----

const chatStops = { stop: 'end', tool_calls: 'tools', length: 'length' }

function chatParams(spec) {
  const content = spec.image
    ? [{ type: 'text', text: spec.prompt }, { type: 'image_url', image_url: { url: imageURL(spec) } }]
    : spec.prompt
  const params = {
    model: spec.model,
    max_completion_tokens: spec.maxTokens,
    messages: [{ role: 'system', content: spec.system }, { role: 'user', content }],
  }
  if (spec.tools)
    params.tools = spec.tools.map(({ name, description, schema }) => ({ type: 'function', function: { name, description, parameters: schema } }))
  if (spec.choice) params.tool_choice = { type: 'function', function: { name: spec.choice } }
  if (spec.think) params.reasoning_effort = 'low'
  if (spec.schema)
    params.response_format = makeParseableResponseFormat(
      { type: 'json_schema', json_schema: { name: 'weather', schema: spec.schema, strict: true } },
      JSON.parse,
    )
  return params
}

async function chatOnce(client, params, spec) {
  const { mode } = spec
  if (mode === 'plain') return params.response_format ? client.chat.completions.parse(params) : client.chat.completions.create(params)
  params = { ...params, stream_options: { include_usage: true } }
  if (mode === 'helper') {
    const stream = client.chat.completions.stream(params)
    let text = '', reasoning = ''
    stream.on('chunk', (c) => {
      text += c.choices[0]?.delta?.content ?? ''
      reasoning += c.choices[0]?.delta?.reasoning_content ?? ''
      if (text) spec.heard?.()
    })
    try {
      const whole = await stream.finalChatCompletion()
      // Of a member that it does not know the helper keeps the last piece alone.
      return { ...whole, reasoning }
    } catch (e) {
      throw Object.assign(e, { partial: text })
    }
  }
  const message = { role: 'assistant', content: null }
  let finish = null, usage = null
  const heard = await listen(spec, client.chat.completions.create({ ...params, stream: true }), (chunk, heard) => {
    usage = chunk.usage ?? usage
    for (const { delta, finish_reason } of chunk.choices) {
      finish = finish_reason ?? finish
      heard.text += delta.content ?? ''
      heard.reasoning += delta.reasoning_content ?? ''
      for (const t of delta.tool_calls ?? []) {
        message.tool_calls ??= []
        const call = (message.tool_calls[t.index] ??= { id: t.id, type: 'function', function: { name: t.function.name, arguments: '' } })
        call.function.arguments += t.function?.arguments ?? ''
      }
    }
  })
  if (heard.text) message.content = heard.text
  return { choices: [{ message, finish_reason: finish }], usage, reasoning: heard.reasoning }
}

async function chatAsk(spec) {
  const client = sdk(spec.base, spec.key)
  const params = chatParams(spec)
  const calls = []
  for (;;) {
    const answer = await chatOnce(client, params, spec)
    const { message, finish_reason } = answer.choices[0]
    const made = (message.tool_calls ?? []).map((t) => ({ id: t.id, name: t.function.name, args: JSON.parse(t.function.arguments) }))
    calls.push(...made.map(({ name, args }) => ({ name, args })))
    if (made.length && !spec.choice) {
      if (calls.length > 4) throw new Error('the loop does not end')
      params.messages.push(message)
      for (const r of results(spec, made)) params.messages.push({ role: 'tool', tool_call_id: r.id, content: r.result })
      continue
    }
    const u = answer.usage
    return {
      text: message.content ?? '',
      reasoning: answer.reasoning ?? message.reasoning_content ?? '',
      calls,
      stop: chatStops[finish_reason] ?? finish_reason,
      usage: u && {
        input: u.prompt_tokens, output: u.completion_tokens,
        cached: num(u.prompt_tokens_details?.cached_tokens), reasoning: num(u.completion_tokens_details?.reasoning_tokens),
      },
      object: spec.schema && (message.parsed ?? JSON.parse(message.content)),
    }
  }
}

const vectors = (r) => r.data.map((d) => d.embedding)

export const openaiChat = {
  ...shared,
  name: 'openai chat',
  speaks: 'chat',
  ask: chatAsk,
  embed: [
    // The SDK asks for base64 and decodes it, unless it is told otherwise.
    async function base64(base, key, model, input) {
      return vectors(await sdk(base, key).embeddings.create({ model, input }))
    },
    async function float(base, key, model, input) {
      return vectors(await sdk(base, key).embeddings.create({ model, input, encoding_format: 'float' }))
    },
  ],
  async models(base, key) {
    const list = []
    for await (const m of sdk(base, key).models.list()) list.push(m.id)
    return { list, one: (await sdk(base, key).models.retrieve('alias')).id }
  },
}

// ---- Responses ----

function responsesParams(spec) {
  const content = [{ type: 'input_text', text: spec.prompt }]
  if (spec.image) content.push({ type: 'input_image', image_url: imageURL(spec), detail: 'auto' })
  const params = {
    model: spec.model,
    instructions: spec.system,
    input: [{ role: 'user', content: spec.image ? content : spec.prompt }],
    max_output_tokens: spec.maxTokens,
    store: false,
  }
  if (spec.tools)
    params.tools = spec.tools.map(({ name, description, schema }) => ({ type: 'function', name, description, parameters: schema, strict: false }))
  if (spec.choice) params.tool_choice = { type: 'function', name: spec.choice }
  if (spec.think) Object.assign(params, { reasoning: { effort: 'low', summary: 'auto' }, include: ['reasoning.encrypted_content'] })
  if (spec.schema)
    params.text = { format: makeParseableTextFormat({ type: 'json_schema', name: 'weather', schema: spec.schema, strict: true }, JSON.parse) }
  return params
}

async function responsesOnce(client, params, spec) {
  const { mode } = spec
  if (mode === 'plain') return params.text ? client.responses.parse(params) : client.responses.create(params)
  let last, number = -1
  const stream = mode === 'helper' ? client.responses.stream(params) : client.responses.create({ ...params, stream: true })
  const heard = await listen(spec, stream, (e, heard) => {
    if (e.sequence_number !== ++number) throw new Error(`event ${number} (${e.type}) has the number ${e.sequence_number}`)
    if (e.type === 'response.output_text.delta') heard.text += e.delta
    if (e.type === 'response.reasoning_summary_text.delta') heard.reasoning += e.delta
    if (e.type === 'error') throw new Error(e.message)
    if (e.type === 'response.failed') throw new Error(e.response.error.message)
    if (/^response.(completed|incomplete)$/.test(e.type)) last = e.response
  })
  if (!last) throw Object.assign(new Error('the stream just ended'), { detail: 'the stream just ended' })
  const whole = readResponse(last)
  if (whole.text !== heard.text || whole.reasoning !== heard.reasoning)
    throw new Error(`the deltas ${JSON.stringify(heard)} are not the whole ${JSON.stringify(whole)}`)
  return mode === 'helper' ? stream.finalResponse() : last
}

function readResponse(r) {
  const of = (type) => r.output.filter((i) => i.type === type)
  return {
    text: of('message').flatMap((i) => i.content).map((p) => p.text ?? '').join(''),
    reasoning: of('reasoning').flatMap((i) => i.summary).map((p) => p.text).join(''),
    made: of('function_call').map((i) => ({ id: i.call_id, name: i.name, args: JSON.parse(i.arguments) })),
  }
}

async function responsesAsk(spec) {
  const client = sdk(spec.base, spec.key)
  const params = responsesParams(spec)
  const calls = []
  for (;;) {
    const answer = await responsesOnce(client, params, spec)
    const { text, reasoning, made } = readResponse(answer)
    calls.push(...made.map(({ name, args }) => ({ name, args })))
    if (made.length && !spec.choice) {
      if (calls.length > 4) throw new Error('the loop does not end')
      params.input.push(...answer.output)
      for (const r of results(spec, made)) params.input.push({ type: 'function_call_output', call_id: r.id, output: r.result })
      continue
    }
    const u = answer.usage
    const length = answer.status === 'incomplete' && answer.incomplete_details.reason === 'max_output_tokens'
    return {
      text, reasoning, calls,
      stop: answer.status === 'completed' ? (made.length ? 'tools' : 'end') : length ? 'length' : answer.status,
      usage: u && {
        input: u.input_tokens, output: u.output_tokens,
        cached: num(u.input_tokens_details.cached_tokens), reasoning: num(u.output_tokens_details.reasoning_tokens),
      },
      object: spec.schema && (answer.output_parsed ?? JSON.parse(text)),
    }
  }
}

export const openaiResponses = {
  ...shared,
  name: 'openai responses',
  speaks: 'responses',
  ask: responsesAsk,
  async count(spec) {
    const { model, instructions, input } = responsesParams(spec)
    return (await sdk(spec.base, spec.key).responses.inputTokens.count({ model, instructions, input })).input_tokens
  },
}
