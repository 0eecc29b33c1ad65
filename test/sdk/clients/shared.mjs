// What the clients have in common.

/**
 * Reads a stream with read(part, heard), tells of the first text, and lets an
 * error keep the text heard so far.
 */
export async function listen(spec, stream, read) {
  const heard = { text: '', reasoning: '' }
  try {
    for await (const part of await stream) {
      read(part, heard)
      if (heard.text) spec.heard?.()
    }
  } catch (e) {
    throw Object.assign(asError(e), { partial: heard.text })
  }
  return heard
}

export const asError = (e) => (e instanceof Error ? e : Object.assign(new Error(e?.message ?? JSON.stringify(e)), { cause: e }))

export const num = (n) => n ?? 0

/** Runs the tools that were called; the results come in another order. */
export const results = (spec, calls) =>
  calls.map((c) => ({ ...c, result: spec.tools.find((t) => t.name === c.name).run(c.args) })).reverse()

export const imageURL = (spec) => `data:image/png;base64,${spec.image}`

export const seconds = (s) => (s == null ? undefined : Number(String(s).replace(/s$/, '')))

export const parse = (s) => {
  try {
    return JSON.parse(s)
  } catch {
    return undefined
  }
}
