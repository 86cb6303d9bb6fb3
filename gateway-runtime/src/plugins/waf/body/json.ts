import { charOf, hexByte, isAlphanumeric } from '../transformations/bytes.ts'
import { utf8Bytes } from '../transformations/utf8.ts'
import { type BodyLimits, BodyProblem, type Field } from './parsed-body.ts'

/**
 * Reads JSON (RFC 8259) into fields named after their path: `json.user.name`, `json.items.array_0`. Names that come
 * twice are both kept, since nobody knows which of them the service reads. Throws BodyProblem for what is no JSON and
 * what is more than the limits.
 */
export function parseJson(text: string, limits: BodyLimits): Field[] {
  return new JsonReader(text, limits).read()
}

const quote = 0x22
const backslash = 0x5c
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

class JsonReader {
  readonly #text: string
  readonly #limits: BodyLimits
  readonly #fields: Field[] = []
  #position = 0
  #depth = 0

  constructor(text: string, limits: BodyLimits) {
    this.#text = text
    this.#limits = limits
  }

  read(): Field[] {
    this.#value('json')
    this.#skipBlanks()
    if (this.#position < this.#text.length) this.#fail('something follows the value')
    return this.#fields
  }

  #fail(message: string): never {
    throw new BodyProblem(`JSON, byte ${this.#position + 1}: ${message}`)
  }

  #skipBlanks(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#position)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.#position++
    }
  }

  /** Passes a character, after blanks. */
  #take(character: string): boolean {
    this.#skipBlanks()
    if (this.#text[this.#position] !== character) return false
    this.#position++
    return true
  }

  #value(path: string): void {
    this.#skipBlanks()
    const character = this.#text[this.#position]
    if (character === '{') this.#nested(() => this.#object(path))
    else if (character === '[') this.#nested(() => this.#array(path))
    else if (character === '"') this.#add(path, this.#string())
    else this.#add(path, this.#literal())
  }

  #nested(read: () => void): void {
    if (++this.#depth > this.#limits.depth) this.#fail(`deeper than ${this.#limits.depth} levels`)
    this.#position++
    read()
    this.#depth--
  }

  #object(path: string): void {
    if (this.#take('}')) return
    do {
      this.#skipBlanks()
      if (this.#text.charCodeAt(this.#position) !== quote) this.#fail('expected a name')
      const name = this.#string()
      if (!this.#take(':')) this.#fail('expected a colon')
      this.#value(`${path}.${name}`)
    } while (this.#take(','))
    if (!this.#take('}')) this.#fail('expected , or }')
  }

  #array(path: string): void {
    if (this.#take(']')) return
    let index = 0
    do this.#value(`${path}.array_${index++}`)
    while (this.#take(','))
    if (!this.#take(']')) this.#fail('expected , or ]')
  }

  #add(name: string, value: string): void {
    if (this.#fields.length >= this.#limits.arguments) {
      this.#fail(`more than ${this.#limits.arguments} values`)
    }
    this.#fields.push({ name, value })
  }

  #literal(): string {
    const start = this.#position
    while (isLiteralByte(this.#text.charCodeAt(this.#position))) this.#position++
    const word = this.#text.slice(start, this.#position)
    if (word === 'null') return ''
    if (word !== 'true' && word !== 'false' && !isNumber(word)) {
      this.#position = start
      this.#fail('expected a value')
    }
    return word
  }

  #string(): string {
    let result = ''
    let kept = ++this.#position
    for (;;) {
      const code = this.#text.charCodeAt(this.#position)
      if (code === quote) break
      if (Number.isNaN(code)) this.#fail('a string without an end')
      if (code < 0x20) this.#fail('a control character in a string')
      if (code !== backslash) {
        this.#position++
        continue
      }
      result += this.#text.slice(kept, this.#position) + this.#escape()
      kept = this.#position
    }
    return result + this.#text.slice(kept, this.#position++)
  }

  #escape(): string {
    const letter = this.#text[this.#position + 1] ?? ''
    if (letter !== 'u') {
      const character = escapes[letter]
      if (character === undefined) this.#fail('an escape that JSON does not have')
      this.#position += 2
      return character
    }
    const unit = this.#unit(this.#position + 2)
    this.#position += 6
    if (unit < 0x80) return charOf(unit)
    const low = unit >= 0xd800 && unit < 0xdc00 && this.#text.startsWith('\\u', this.#position)
    if (!low) return utf8Bytes(String.fromCharCode(unit))
    const pair = String.fromCharCode(unit, this.#unit(this.#position + 2))
    this.#position += 6
    return utf8Bytes(pair)
  }

  #unit(at: number): number {
    const high = hexByte(this.#text, at)
    const low = hexByte(this.#text, at + 2)
    if (high < 0 || low < 0) this.#fail('\\u without four hexadecimal digits')
    return high * 256 + low
  }
}

/** Bytes of true, false, null and numbers. */
function isLiteralByte(code: number): boolean {
  return isAlphanumeric(code) || code === 0x2b || code === 0x2d || code === 0x2e
}

/** -? int frac? exp?, without a regular expression, for the word may be long. */
function isNumber(word: string): boolean {
  let at = word.startsWith('-') ? 1 : 0
  const digits = () => {
    const start = at
    while (at < word.length && word.charCodeAt(at) >= 0x30 && word.charCodeAt(at) <= 0x39) at++
    return at - start
  }
  const first = word[at]
  const whole = digits()
  if (whole === 0 || (whole > 1 && first === '0')) return false
  if (word[at] === '.') {
    at++
    if (digits() === 0) return false
  }
  if (word[at] === 'e' || word[at] === 'E') {
    at++
    if (word[at] === '+' || word[at] === '-') at++
    if (digits() === 0) return false
  }
  return at === word.length
}
