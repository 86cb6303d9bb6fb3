export interface AnswerHandler {
  onHead(status: number, fields: ReadonlyMap<string, string>): void
  onBody(chunk: Buffer): void
  onEnd(): void
}

type State = 'head' | 'length' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailers'

const mostLine = 65_536

/**
 * Reads answers of HTTP/1.1 one behind another, to GET, POST and PUT. Stricter than a client has to be, and of its
 * own make: it must not share the errors of the gateway's parser. Throws where the bytes are no answer.
 */
export class Http1AnswerParser {
  readonly #handler: AnswerHandler
  #state: State = 'head'
  #line = Buffer.alloc(0)
  #left = 0

  constructor(handler: AnswerHandler) {
    this.#handler = handler
  }

  execute(chunk: Buffer): void {
    let rest = chunk
    while (rest.length > 0) {
      const isBody = this.#state === 'length' || this.#state === 'chunk'
      rest = isBody ? this.#readBody(rest) : this.#readLine(rest)
    }
  }

  #readBody(chunk: Buffer): Buffer {
    const piece = chunk.subarray(0, this.#left)
    this.#left -= piece.length
    this.#handler.onBody(piece)
    if (this.#left === 0) {
      if (this.#state === 'chunk') this.#state = 'chunk-end'
      else this.#end()
    }
    return chunk.subarray(piece.length)
  }

  /** A head as a whole, or one line of the chunked coding. */
  #readLine(chunk: Buffer): Buffer {
    const terminator = this.#state === 'head' ? '\r\n\r\n' : '\r\n'
    const before = this.#line.length
    const all = before === 0 ? chunk : Buffer.concat([this.#line, chunk])
    const end = all.indexOf(terminator)
    if (end < 0) {
      if (all.length > mostLine) throw new Error('a head or line of over 64 KiB')
      this.#line = Buffer.from(all)
      return chunk.subarray(chunk.length)
    }
    this.#line = Buffer.alloc(0)
    this.#onLine(all.toString('latin1', 0, end))
    return all.subarray(end + terminator.length)
  }

  #onLine(line: string): void {
    if (this.#state === 'head') return this.#onHead(line)
    if (this.#state === 'trailers') {
      if (line === '') this.#end()
      return
    }
    if (this.#state === 'chunk-end') {
      if (line !== '') throw new Error(`${JSON.stringify(line.slice(0, 64))} behind a chunk`)
      this.#state = 'chunk-size'
      return
    }
    if (!/^[0-9a-f]{1,8}$/i.test(line))
      throw new Error(`${JSON.stringify(line.slice(0, 64))} for the size of a chunk`)
    this.#left = Number.parseInt(line, 16)
    this.#state = this.#left === 0 ? 'trailers' : 'chunk'
  }

  #onHead(text: string): void {
    const [statusLine = '', ...lines] = text.split('\r\n')
    const match = /^HTTP\/1\.1 (\d{3}) [ -~]*$/.exec(statusLine)
    if (!match) throw new Error(`${JSON.stringify(statusLine.slice(0, 64))} where an answer should begin`)
    const fields = new Map<string, string>()
    for (const line of lines) {
      const colon = line.indexOf(':')
      if (colon < 1) throw new Error(`${JSON.stringify(line.slice(0, 64))} for a field of a head`)
      fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
    }
    this.#handler.onHead(Number(match[1]), fields)
    if (fields.get('transfer-encoding') === 'chunked') this.#state = 'chunk-size'
    else this.#beginLength(fields.get('content-length'))
  }

  #beginLength(text: string | undefined): void {
    if (text === undefined || !/^\d{1,9}$/.test(text)) throw new Error(`content-length ${text}`)
    this.#left = Number(text)
    if (this.#left === 0) this.#end()
    else this.#state = 'length'
  }

  #end(): void {
    this.#state = 'head'
    this.#handler.onEnd()
  }
}
