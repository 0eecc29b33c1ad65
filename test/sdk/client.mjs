// Runs every client through every feature at every provider. The config comes
// on stdin, a line of JSON for each result goes to stdout. sdk_test.go starts it.
import { AsyncLocalStorage } from 'node:async_hooks'
import { readFileSync } from 'node:fs'
import { clients } from './clients/all.mjs'
import { features } from './features.mjs'
import { cannot, mayLeaveOut } from './na.mjs'

globalThis.AI_SDK_LOG_WARNINGS = false

const config = JSON.parse(readFileSync(0, 'utf8'))
const only = config.only && new RegExp(config.only)

const jobs = []
for (const client of clients) {
  const at = (providers, base, key) => {
    for (const provider of providers) {
      for (const [feature, { modes, run }] of Object.entries(features)) {
        if (client.only && !client.only.includes(feature)) continue
        for (const mode of client.modes.filter((m) => !modes || modes.includes(m))) {
          jobs.push({ client, provider, feature, mode, run, base, key })
        }
      }
    }
  }
  at(config.providers, config.gateway, config.key)
  at(config.direct.filter((p) => p.name === client.direct.name), config.standIn + client.direct.path, config.providerKey)
}

// What the gateway says it left out of a request, by the job that sent it.
const current = new AsyncLocalStorage()
const plainFetch = globalThis.fetch
globalThis.fetch = async (...args) => {
  const response = await plainFetch(...args)
  for (const name of response.headers.get('x-llm-dropped')?.split(/,\s*/) ?? []) current.getStore()?.dropped.add(name)
  return response
}

async function work({ client, provider, feature, mode, run, base, key }) {
  const result = { client: client.name, provider: provider.name, feature, mode }
  const why = cannot(result)
  if (why) return { ...result, na: true, why }
  const dropped = new Set()
  try {
    const context = { client, provider, mode, base, key, standIn: config.standIn }
    const did = await current.run({ dropped }, () => run(context))
    if (did === false) return null
    for (const what of dropped) if (!mayLeaveOut(result, what)) throw new Error(`the gateway left out ${what}`)
    return { ...result, ok: true }
  } catch (e) {
    return { ...result, ok: false, why: String(e?.detail ?? e?.message ?? e).slice(0, 1500) }
  }
}

const todo = jobs.filter((j) => !only || only.test([j.client.name, j.provider.name, j.feature, j.mode].join('/')))
const results = new Array(todo.length)
let next = 0
await Promise.all(
  Array.from({ length: 8 }, async () => {
    while (next < todo.length) {
      const i = next++
      results[i] = await work(todo[i])
    }
  }),
)
process.stdout.write(results.filter(Boolean).map((r) => JSON.stringify(r) + '\n').join(''))
