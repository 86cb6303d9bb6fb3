import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { BodyTooLarge, type PluginResponse } from '../contract.ts'
import type { ResponseFacts } from './engine/request-facts.ts'

/** An answer as rules look at it, or why it cannot be. */
export type SeenResponse = ResponseFacts | 'too-long' | 'undecodable'

const decoders: Readonly<Record<string, (body: Buffer, options: zlib.ZlibOptions) => Promise<Buffer>>> = {
  gzip: promisify(zlib.gunzip),
  'x-gzip': promisify(zlib.gunzip),
  deflate: promisify(zlib.inflate),
  br: promisify(zlib.brotliDecompress) as (body: Buffer, options: zlib.ZlibOptions) => Promise<Buffer>,
  zstd: promisify(zlib.zstdDecompress) as (body: Buffer, options: zlib.ZlibOptions) => Promise<Buffer>,
}

/**
 * Reads what rules look at. The body is read where its type is one of `types`, and decoded for them; the client gets
 * it as it came.
 */
export async function seenResponse(
  response: PluginResponse,
  limit: number,
  types: ReadonlySet<string>,
): Promise<SeenResponse> {
  const facts = { status: response.status, protocol: 'HTTP/1.1', headers: [...response.headers()] }
  const [type = ''] = (response.header('content-type') ?? '').split(';')
  if (!response.hasBody || !types.has(type.trim().toLowerCase())) return facts
  try {
    const body = await response.body(limit)
    return { ...facts, body: await decoded(body, response.bodyEncoding, limit) }
  } catch (error) {
    if (error instanceof BodyTooLarge) return 'too-long'
    const { code } = error as NodeJS.ErrnoException
    return code === 'ERR_BUFFER_TOO_LARGE' ? 'too-long' : 'undecodable'
  }
}

function decoded(body: Buffer, encoding: string, limit: number): Buffer | Promise<Buffer> {
  if (encoding === 'identity' || body.length === 0) return body
  const decode = decoders[encoding]
  if (!decode) throw new Error(`content-encoding ${encoding}`)
  return decode(body, { maxOutputLength: limit })
}
