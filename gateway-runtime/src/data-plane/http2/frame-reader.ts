import { ErrorCode, Http2Error, headerSize, maxFrameSize } from './frames.ts'

export interface FrameHandler {
  /** `payload` is a view that is used again as soon as this returns. */
  onFrame(type: number, flags: number, stream: number, payload: Buffer): void
}

const nothing = Buffer.alloc(0)

/** Cuts the bytes of a connection into frames. What it keeps between two reads is less than one frame. */
export class FrameReader {
  readonly #handler: FrameHandler
  #rest: Buffer = nothing

  constructor(handler: FrameHandler) {
    this.#handler = handler
  }

  /** Throws Http2Error. */
  read(chunk: Buffer): void {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    let at = 0
    while (bytes.length - at >= headerSize) {
      const length = bytes.readUIntBE(at, 3)
      if (length > maxFrameSize) {
        throw new Http2Error(ErrorCode.frameSizeError, `a frame of ${length} bytes`)
      }
      const end = at + headerSize + length
      if (end > bytes.length) break
      const stream = bytes.readUInt32BE(at + 5) & 0x7fffffff
      this.#handler.onFrame(bytes[at + 3]!, bytes[at + 4]!, stream, bytes.subarray(at + headerSize, end))
      at = end
    }
    // A copy: the chunk may be a view of memory that is used again.
    this.#rest = at === bytes.length ? nothing : Buffer.from(bytes.subarray(at))
  }
}
