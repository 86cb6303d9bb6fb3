import { Transform } from 'node:stream'
import type { PluginResponse } from '../contract.ts'

/** Calls `keep` with the body of an answer when all of it went to the client, if it has at most so many bytes. */
export function keepBody(response: PluginResponse, mostBytes: number, keep: (body: Buffer) => void): void {
  if (!response.hasBody) return keep(Buffer.alloc(0))
  let pieces: Buffer[] | undefined = []
  let size = 0
  response.pipe(
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        size += chunk.length
        if (size > mostBytes) pieces = undefined
        pieces?.push(chunk)
        done(null, chunk)
      },
      flush(done) {
        if (pieces) keep(Buffer.concat(pieces, size))
        done()
      },
    }),
  )
}
