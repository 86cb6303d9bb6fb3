import type { Duplex } from 'node:stream'
import { constants, createBrotliCompress, createGzip, createZstdCompress } from 'node:zlib'
import { z } from 'zod'
import { definePlugin, type Exchange, type PluginResponse } from '../contract.ts'

const codings = ['zstd', 'br', 'gzip'] as const
type Coding = (typeof codings)[number]

/** Compresses answers for clients that take it (RFC 9110 sections 8.4 and 12.5.3). */
export const compression = definePlugin({
  name: 'compression',
  order: 100,
  description: 'Compresses answers by zstd, br or gzip, for clients that take it.',
  config: z.strictObject({
    codings: z
      .array(z.enum(codings))
      .min(1)
      .max(3)
      .default([...codings])
      .describe('The first that the client likes best is taken.'),
    min_length: z
      .int()
      .min(0)
      .max(2 ** 30)
      .default(1_024)
      .describe('Bytes of a body from which it is worth it.'),
    types: z
      .array(z.string().regex(/^[a-z]+\/[a-z0-9.+*-]+$/))
      .min(1)
      .max(100)
      .default([
        'text/*',
        'application/json',
        'application/problem+json',
        'application/javascript',
        'application/xml',
        'application/x-ndjson',
        'image/svg+xml',
      ])
      .describe('Media types of bodies; text/* is all of text.'),
    level: z.enum(['fast', 'balanced', 'small']).default('balanced'),
  }),
  examples: [{ codings: ['br', 'gzip'], min_length: 2_048 }],
  create(config) {
    const isCompressible = typeMatcher(config.types)
    return {
      onResponse(exchange, response) {
        if (!isWorthIt(response, config.min_length)) return
        if (!isCompressible(response.header('content-type') ?? '')) return
        const vary = response.header('vary')
        if (vary !== '*') response.setHeader('vary', vary ? `${vary}, Accept-Encoding` : 'Accept-Encoding')
        const coding = bestCoding(acceptedOf(exchange), config.codings)
        if (!coding || !response.hasBody) return
        response.setHeader('content-encoding', coding)
        response.removeHeader('accept-ranges')
        response.removeHeader('content-md5')
        weakenTag(response)
        response.pipe(compressors[coding](levels[config.level]))
      },
    }
  },
})

/** Ranges and what must not be transformed (RFC 9111 section 5.2.2.6) stay as they are. */
const isWorthIt = (response: PluginResponse, minLength: number): boolean =>
  response.status >= 200 &&
  response.status !== 206 &&
  (response.contentLength ?? minLength) >= minLength &&
  (response.header('content-encoding') ?? 'identity') === 'identity' &&
  !/\bno-transform\b/i.test(response.header('cache-control') ?? '')

/** Another coding, other bytes: a strong tag would no longer be true (RFC 9110 section 8.8.1). */
function weakenTag(response: PluginResponse): void {
  const tag = response.header('etag')
  if (tag?.startsWith('"')) response.setHeader('etag', `W/${tag}`)
}

const acceptedOf = ({ request }: Exchange): string => request.header('accept-encoding') ?? ''

/** The coding with the highest weight that is on offer; of equal ones the first of the offer. */
export function bestCoding(accepted: string, offer: readonly Coding[]): Coding | undefined {
  const weights = new Map<string, number>()
  for (const item of accepted.toLowerCase().split(',', 32)) {
    const [name = '', ...parameters] = item.split(';')
    const weight = parameters.map((text) => /^\s*q=([01](?:\.\d{0,3})?)\s*$/.exec(text)?.[1]).find(Boolean)
    weights.set(name.trim(), weight === undefined ? 1 : Number(weight))
  }
  const weightOf = (coding: Coding) => weights.get(coding) ?? weights.get('*') ?? 0
  const [best] = offer.toSorted((a, b) => weightOf(b) - weightOf(a))
  return best && weightOf(best) > 0 ? best : undefined
}

function typeMatcher(types: readonly string[]): (contentType: string) => boolean {
  const exact = new Set(types.filter((type) => !type.endsWith('/*')))
  const groups = types.filter((type) => type.endsWith('/*')).map((type) => type.slice(0, -1))
  return (contentType) => {
    const type = contentType.split(';', 1)[0]!.trim().toLowerCase()
    return exact.has(type) || groups.some((group) => type.startsWith(group))
  }
}

interface Levels {
  readonly gzip: number
  readonly br: number
  readonly zstd: number
}

const levels: Readonly<Record<'fast' | 'balanced' | 'small', Levels>> = {
  fast: { gzip: 1, br: 1, zstd: 1 },
  balanced: { gzip: 5, br: 4, zstd: 3 },
  small: { gzip: 9, br: 9, zstd: 12 },
}

// Flushed behind every piece: a stream of events must not wait for a block to be full.
const compressors: Readonly<Record<Coding, (level: Levels) => Duplex>> = {
  gzip: ({ gzip }) => createGzip({ level: gzip, flush: constants.Z_SYNC_FLUSH }),
  br: ({ br }) =>
    createBrotliCompress({
      flush: constants.BROTLI_OPERATION_FLUSH,
      params: { [constants.BROTLI_PARAM_QUALITY]: br },
    }),
  zstd: ({ zstd }) =>
    createZstdCompress({
      flush: constants.ZSTD_e_flush,
      params: { [constants.ZSTD_c_compressionLevel]: zstd },
    }),
}
