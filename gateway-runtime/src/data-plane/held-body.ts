import { BodyTooLarge } from '../plugins/contract.ts'

/** A body that waits at the gateway, until plugins have decided. */
export class HeldBody {
  #pieces: Buffer[] = []
  #size = 0
  #isComplete = false
  #reader: { readonly limit: number; resolve(body: Buffer): void; reject(error: Error): void } | undefined

  /** The chunk is used again as soon as this returns. Returns whether more of it is wanted now. */
  add(chunk: Buffer): boolean {
    this.#pieces.push(Buffer.from(chunk))
    this.#size += chunk.length
    if (this.#reader && this.#size > this.#reader.limit) {
      this.#reader.reject(tooLarge(this.#reader.limit))
      this.#reader = undefined
    }
    return this.#reader !== undefined
  }

  /** Whether somebody waits for more of it. */
  get isWanted(): boolean {
    return this.#reader !== undefined
  }

  complete(): void {
    this.#isComplete = true
    this.#reader?.resolve(this.#join())
    this.#reader = undefined
  }

  /** All of it. @throws BodyTooLarge past `limit` bytes */
  read(limit: number): Promise<Buffer> {
    if (this.#size > limit) return Promise.reject(tooLarge(limit))
    if (this.#isComplete) return Promise.resolve(this.#join())
    return new Promise((resolve, reject) => {
      this.#reader = { limit, resolve, reject }
    })
  }

  replace(body: Buffer): void {
    if (!this.#isComplete) throw new TypeError('a body can be replaced when it was read')
    this.#pieces = body.length > 0 ? [body] : []
    this.#size = body.length
  }

  get pieces(): readonly Buffer[] {
    return this.#pieces
  }

  #join(): Buffer {
    const whole = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces, this.#size)
    this.#pieces = this.#size > 0 ? [whole] : []
    return whole
  }
}

const tooLarge = (limit: number) => new BodyTooLarge(`the body has more than ${limit} bytes`)
