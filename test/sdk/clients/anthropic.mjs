// Anthropic's SDK, of which versions before and after 1.0 differ in the
// credential's header and the version of the API.
import { listen, num, results, seconds } from './shared.mjs'

const stops = { end_turn: 'end', tool_use: 'tools', max_tokens: 'length' }

function params(spec, format) {
  const content = [{ type: 'text', text: spec.prompt }]
  if (spec.image) content.unshift({ type: 'image', source: { type: 'base64', media_type: 'image/png', data: spec.image } })
  const params = {
    model: spec.model,
    max_tokens: spec.maxTokens,
    system: spec.system,
    messages: [{ role: 'user', content: spec.image ? content : spec.prompt }],
  }
  if (spec.tools) params.tools = spec.tools.map(({ name, description, schema }) => ({ name, description, input_schema: schema }))
  if (spec.choice) params.tool_choice = { type: 'tool', name: spec.choice }
  if (spec.think) {
    params.thinking = { type: 'adaptive', display: 'summarized' }
    params.output_config = { effort: 'low' }
  }
  if (spec.schema) params.output_config = { format: format(spec.schema, { transform: false }) }
  return params
}

async function once(client, params, spec) {
  const { mode } = spec
  if (mode === 'plain') return params.output_config?.format ? client.messages.parse(params) : client.messages.create(params)
  if (mode === 'helper') {
    const stream = client.messages.stream(params)
    let text = ''
    stream.on('text', (t) => {
      text += t
      spec.heard?.()
    })
    try {
      return await stream.finalMessage()
    } catch (e) {
      throw Object.assign(e, { partial: text })
    }
  }
  let message
  let ended = false
  const json = []
  await listen(spec, client.messages.create({ ...params, stream: true }), (e, heard) => {
    const block = message?.content[e.index]
    if (e.type === 'message_start') message = e.message
    else if (e.type === 'content_block_start') {
      if (e.index !== message.content.length) throw new Error(`block ${e.index} comes after ${message.content.length} blocks`)
      message.content.push(e.content_block)
      json.push('')
    } else if (e.type === 'content_block_delta') {
      const d = e.delta
      if (d.type === 'text_delta') (block.text += d.text), (heard.text += d.text)
      if (d.type === 'thinking_delta') block.thinking += d.thinking
      if (d.type === 'signature_delta') block.signature = d.signature
      if (d.type === 'input_json_delta') json[e.index] += d.partial_json
    } else if (e.type === 'content_block_stop') {
      if (block.type === 'tool_use') block.input = JSON.parse(json[e.index] || '{}')
    } else if (e.type === 'message_delta') {
      Object.assign(message, e.delta)
      for (const [k, v] of Object.entries(e.usage)) if (v != null) message.usage[k] = v
    } else if (e.type === 'message_stop') ended = true
  })
  if (!ended) throw Object.assign(new Error('the stream just ended'), { detail: 'the stream just ended' })
  return message
}

export const anthropic = (name, Anthropic, format) => {
  const sdk = (base, apiKey) => new Anthropic({ baseURL: base, apiKey, maxRetries: 0 })

  async function ask(spec) {
    const client = sdk(spec.base, spec.key)
    const p = params(spec, format)
    const calls = []
    for (;;) {
      const message = await once(client, p, spec)
      const of = (type) => message.content.filter((b) => b.type === type)
      const made = of('tool_use').map((b) => ({ id: b.id, name: b.name, args: b.input }))
      calls.push(...made.map(({ name, args }) => ({ name, args })))
      if (made.length && !spec.choice) {
        if (calls.length > 4) throw new Error('the loop does not end')
        p.messages.push({ role: 'assistant', content: message.content })
        p.messages.push({
          role: 'user',
          content: results(spec, made).map((r) => ({ type: 'tool_result', tool_use_id: r.id, content: r.result })),
        })
        continue
      }
      const u = message.usage
      const text = of('text').map((b) => b.text).join('')
      return {
        text,
        reasoning: of('thinking').map((b) => b.thinking).join(''),
        calls,
        stop: stops[message.stop_reason] ?? message.stop_reason,
        usage: {
          input: u.input_tokens + num(u.cache_read_input_tokens) + num(u.cache_creation_input_tokens),
          output: u.output_tokens,
          cached: num(u.cache_read_input_tokens),
          reasoning: num(u.output_tokens_details?.thinking_tokens),
        },
        object: spec.schema && (message.parsed_output ?? JSON.parse(text)),
      }
    }
  }

  return {
    name,
    speaks: 'messages',
    modes: ['plain', 'stream', 'helper'],
    direct: { name: 'direct anthropic', path: '/anthropic' },
    kinds: { invalid: 'invalid_request_error', limited: 'rate_limit_error', overloaded: 'overloaded_error' },
    overloaded: 529,
    countsReasoning: true,
    ask,
    error: (e) => ({
      status: e.status, kind: e.error?.error?.type, message: String(e.message), partial: e.partial,
      retryAfter: seconds(e.headers?.get?.('retry-after')),
    }),
    async count(spec) {
      const { model, system, messages } = params(spec, format)
      return (await sdk(spec.base, spec.key).messages.countTokens({ model, system, messages })).input_tokens
    },
    async models(base, key) {
      const list = []
      for await (const m of sdk(base, key).models.list()) list.push(m.id)
      return { list, one: (await sdk(base, key).models.retrieve('alias')).id }
    },
  }
}
