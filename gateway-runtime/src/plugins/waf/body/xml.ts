import { isAlphanumeric, isSpace } from '../transformations/bytes.ts'
import { utf8Bytes } from '../transformations/utf8.ts'
import { type BodyLimits, BodyProblem, type XmlText } from './parsed-body.ts'

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

/**
 * Reads the text and the attributes of an XML document: elements must be nested rightly, the five entities and
 * references to characters are replaced. A document type is refused, for what its entities stand for cannot be seen.
 * Throws BodyProblem for what is no such document and what is more than the limits.
 */
export function parseXml(text: string, limits: BodyLimits): XmlText {
  return new XmlReader(text, limits).read()
}

class XmlReader {
  readonly #text: string
  readonly #limits: BodyLimits
  readonly #attributes: string[] = []
  readonly #open: string[] = []
  #content = ''
  #position = 0
  #roots = 0

  constructor(text: string, limits: BodyLimits) {
    this.#text = text.startsWith('\xef\xbb\xbf') ? text.slice(3) : text
    this.#limits = limits
  }

  read(): XmlText {
    const text = this.#text
    while (this.#position < text.length) {
      if (text[this.#position] !== '<') this.#characters()
      else if (text.startsWith('<!--', this.#position)) this.#skipPast('-->', 4)
      else if (text.startsWith('<![CDATA[', this.#position)) this.#content += this.#skipPast(']]>', 9)
      else if (text.startsWith('<?', this.#position)) this.#skipPast('?>', 2)
      else if (text.startsWith('<!', this.#position)) this.#fail('a document type')
      else if (text.startsWith('</', this.#position)) this.#close()
      else this.#element()
    }
    if (this.#open.length > 0 || this.#roots !== 1) this.#fail('it ends before its elements do')
    return { text: this.#content, attributes: this.#attributes }
  }

  #fail(message: string): never {
    throw new BodyProblem(`XML, byte ${this.#position + 1}: ${message}`)
  }

  #skipPast(end: string, begin: number): string {
    const found = this.#text.indexOf(end, this.#position + begin)
    if (found < 0) this.#fail(`expected ${end}`)
    const text = this.#text.slice(this.#position + begin, found)
    this.#position = found + end.length
    return text
  }

  #characters(): void {
    const next = this.#text.indexOf('<', this.#position)
    const end = next < 0 ? this.#text.length : next
    const text = this.#decode(this.#text.slice(this.#position, end))
    if (this.#open.length > 0) this.#content += text
    else if (text.trim() !== '') this.#fail('text outside of the document')
    this.#position = end
  }

  #close(): void {
    const name = this.#skipPast('>', 2).trimEnd()
    if (this.#open.pop() !== name) this.#fail(`an element that ends and has not begun`)
  }

  #element(): void {
    this.#position++
    const name = this.#name()
    if (this.#open.length === 0) this.#roots++
    for (;;) {
      this.#skipSpace()
      if (this.#take('/>')) return
      if (this.#take('>')) break
      this.#attribute()
    }
    this.#open.push(name)
    if (this.#open.length > this.#limits.depth) this.#fail(`deeper than ${this.#limits.depth} levels`)
  }

  #attribute(): void {
    this.#name()
    this.#skipSpace()
    if (!this.#take('=')) this.#fail('expected =')
    this.#skipSpace()
    const quote = this.#text[this.#position]
    if (quote !== '"' && quote !== "'") this.#fail('expected a quote')
    const value = this.#skipPast(quote, 1)
    if (value.includes('<')) this.#fail('a < in an attribute')
    this.#attributes.push(this.#decode(value))
    if (this.#attributes.length > this.#limits.arguments) {
      this.#fail(`more than ${this.#limits.arguments} attributes`)
    }
  }

  #name(): string {
    const start = this.#position
    while (isNameByte(this.#text.charCodeAt(this.#position))) this.#position++
    if (this.#position === start) this.#fail('expected a name')
    return this.#text.slice(start, this.#position)
  }

  #skipSpace(): void {
    while (isSpace(this.#text.charCodeAt(this.#position))) this.#position++
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#position)) return false
    this.#position += text.length
    return true
  }

  #decode(text: string): string {
    let result = ''
    let kept = 0
    for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', kept)) {
      const end = text.indexOf(';', at)
      if (end < 0 || end - at > 12) this.#fail('an & that begins no entity')
      result += text.slice(kept, at) + this.#entity(text.slice(at + 1, end))
      kept = end + 1
    }
    return result + text.slice(kept)
  }

  #entity(name: string): string {
    if (!name.startsWith('#')) return entities[name] ?? this.#fail('an entity that is not known')
    const code = name[1] === 'x' ? Number(`0x${name.slice(2)}`) : Number(name.slice(1))
    if (!Number.isInteger(code) || code <= 0 || code > 0x10_ffff) this.#fail('a reference to no character')
    return utf8Bytes(String.fromCodePoint(code))
  }
}

/** Letters, digits, - . _ : and what is beyond ASCII. */
function isNameByte(code: number): boolean {
  return (
    isAlphanumeric(code) || code === 0x2d || code === 0x2e || code === 0x5f || code === 0x3a || code > 0x7f
  )
}
