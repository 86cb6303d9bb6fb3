/// <reference path="./http-cache-semantics.d.ts" />
import CachePolicy, { type Message } from 'http-cache-semantics'

/** An answer as the cache keeps it: what decides over its use, and its bytes. */
export interface StoredAnswer {
  readonly status: number
  readonly policy: CachePolicy
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
  /** Milliseconds since 1970 until which it is fresh. */
  readonly freshUntil: number
  /** When the answer was made, by the clock of who made it: what Age counts from. */
  readonly bornAt: number
  /** When the service was asked for it, or to confirm it. */
  readonly askedAt: number
}

/** What is kept under the key of a resource that has several representations. */
export interface Variants {
  /** Names of the headers that tell them apart. */
  readonly vary: readonly string[]
  /** Part of the keys of the representations: those of before cannot be found any more. */
  readonly id: string
}

interface Meta {
  readonly status: number
  readonly policy: object
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly freshUntil: number
  readonly bornAt: number
  readonly askedAt: number
}

/** Works out what is kept of an answer. */
export function storedAnswer(
  policy: CachePolicy,
  answer: Pick<StoredAnswer, 'status' | 'headers' | 'body' | 'askedAt'>,
  now = Date.now(),
): StoredAnswer {
  const age = policy.age()
  return {
    policy,
    status: answer.status,
    headers: answer.headers.filter(([name]) => !/^(age|cache-status|connection|set-cookie)$/.test(name)),
    body: answer.body,
    freshUntil: now + Math.max(policy.maxAge() - age, 0) * 1_000,
    bornAt: now - age * 1_000,
    askedAt: answer.askedAt,
  }
}

/**
 * Of the request nothing is kept that the key tells anyhow, or nobody needs: it may hold secrets.
 * @param vary - names of the headers that tell representations apart
 */
export function packAnswer({ policy, body, ...meta }: StoredAnswer, vary: readonly string[]): Buffer {
  const { reqh, ...rest } = policy.toObject()
  const headers = vary.flatMap((name) => (reqh?.[name] === undefined ? [] : [[name, reqh[name]]]))
  const kept = { ...rest, u: '', reqh: Object.fromEntries(headers) }
  const text = Buffer.from(JSON.stringify({ ...meta, policy: kept }))
  const length = Buffer.allocUnsafe(4)
  length.writeUInt32LE(text.length)
  return Buffer.concat([length, text, body])
}

/** Begins as no answer does. */
export const packVariants = (variants: Variants): Buffer =>
  Buffer.concat([Buffer.alloc(4), Buffer.from(JSON.stringify(variants))])

export function unpack(value: Buffer): StoredAnswer | Variants {
  const length = value.readUInt32LE(0)
  if (length === 0) return JSON.parse(value.toString('utf8', 4)) as Variants
  const meta = JSON.parse(value.toString('utf8', 4, 4 + length)) as Meta
  return { ...meta, policy: CachePolicy.fromObject(meta.policy), body: value.subarray(4 + length) }
}

/** Fields of the same name are one, as lists are (RFC 9110 section 5.3). */
export function messageOf(
  facts: Pick<Message, 'url' | 'method' | 'status'>,
  headers: Iterable<readonly [name: string, value: string]>,
): Message {
  const joined: Record<string, string> = Object.create(null)
  for (const [name, value] of headers)
    joined[name] = joined[name] === undefined ? value : `${joined[name]}, ${value}`
  const control = joined['cache-control']
  if (control !== undefined) joined['cache-control'] = directivesOf(control)
  return { ...facts, headers: joined }
}

/**
 * Cache-Control as CachePolicy has to be told it: names in lower case, which it takes for the only ones, and of an
 * answer that must be confirmed when its time is over none that would let it be given then (RFC 9111 section 4.2.4).
 */
function directivesOf(control: string): string {
  const lower = control.toLowerCase()
  if (!/\b(?:must|proxy)-revalidate\b/.test(lower)) return lower
  return lower
    .split(',')
    .filter((directive) => !/^\s*stale-/.test(directive))
    .join()
}
