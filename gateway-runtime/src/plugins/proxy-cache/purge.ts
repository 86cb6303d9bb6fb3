import { z } from 'zod'
import type { SharedStore } from './shared-store.ts'
import { unpack } from './stored-answer.ts'

/** Milliseconds of looking through the records between two pauses. */
const slice = 5

const whole = z.string().min(1).max(8_192)

/** What shall be forgotten: one of these. */
export const purgeSchema = z
  .strictObject({
    url: whole.optional(),
    prefix: whole.optional(),
    tag: whole.optional(),
  })
  .refine((purge) => Object.values(purge).filter((value) => value !== undefined).length === 1, {
    message: 'expected one of url, prefix and tag',
  })
  .refine(({ url = '/', prefix = '/' }) => [url, prefix].every(isUrl), {
    message: 'url and prefix begin with http://, https:// or, for all hosts, with /',
  })
export type Purge = z.output<typeof purgeSchema>

const isUrl = (text: string) => /^(?:https?:\/\/|\/)/.test(text)

/**
 * Takes out of the memory of a node what a purge names, in pieces, so that the thread is never kept for long. Answers
 * that are on their way meanwhile are not kept either. Returns how many records that were.
 */
export async function purgeStore(store: SharedStore, purge: Purge): Promise<number> {
  store.countPurge()
  const isMeant = matcherOf(purge)
  let purged = 0
  let until = performance.now() + slice
  for (const [key, value] of store.entries()) {
    if (isMeant(key, value)) {
      store.delete(key)
      purged++
    }
    if (performance.now() < until) continue
    await new Promise((resolve) => setImmediate(resolve))
    until = performance.now() + slice
  }
  store.countPurge()
  return purged
}

/** Whether a record is meant, by its key and value. */
export function matcherOf({ url, prefix, tag }: Purge): (key: string, value: Buffer) => boolean {
  if (tag !== undefined) return (_, value) => tagsOf(value).includes(tag)
  const wanted = (url ?? prefix)!
  const part = wanted.startsWith('/') ? targetOf : urlOf
  return url === undefined ? (key) => part(key).startsWith(wanted) : (key) => part(key) === wanted
}

/** Of the key of a record: see ProxyCache. A variant has more lines. */
function urlOf(key: string): string {
  const end = key.indexOf('\n')
  const line = end < 0 ? key : key.slice(0, end)
  return line.slice(line.lastIndexOf(' ') + 1)
}

/** Path and query. */
function targetOf(key: string): string {
  const url = urlOf(key)
  return url.slice(url.indexOf('/', url.indexOf('://') + 3))
}

/** Those that the service gave its answer: `Cache-Tag: a, b` or `Surrogate-Key: a b`. */
function tagsOf(value: Buffer): string[] {
  const answer = unpack(value)
  if ('vary' in answer) return []
  return answer.headers.flatMap(([name, text]) => {
    if (name === 'cache-tag') return text.split(',').map((tag) => tag.trim())
    return name === 'surrogate-key' ? text.split(/[ \t]+/) : []
  })
}
