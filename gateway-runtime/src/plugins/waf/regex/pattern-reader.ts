import { PatternError } from './pattern.ts'

const isDigit = (character: string | undefined) =>
  character !== undefined && character >= '0' && character <= '9'
const isOctalDigit = (character: string | undefined) =>
  character !== undefined && character >= '0' && character <= '7'

/** The text of a pattern, read from left to right. */
export class PatternReader {
  readonly #source: string
  #position = 0

  constructor(source: string) {
    this.#source = source
  }

  get done(): boolean {
    return this.#position >= this.#source.length
  }

  peek(): string {
    return this.#source[this.#position] ?? ''
  }

  at(text: string): boolean {
    return this.#source.startsWith(text, this.#position)
  }

  take(text: string): boolean {
    if (!this.at(text)) return false
    this.#position += text.length
    return true
  }

  next(): string {
    const character = this.#source[this.#position]
    if (character === undefined) throw new PatternError('it ends in the middle')
    if (character > '\xff') throw new PatternError('a character that is no byte')
    this.#position++
    return character
  }

  /** Text up to an end, which is passed too, or all that is left. */
  upTo(end: string): string {
    const found = this.#source.indexOf(end, this.#position)
    const stop = found < 0 ? this.#source.length : found
    const text = this.#source.slice(this.#position, stop)
    this.#position = found < 0 ? stop : stop + end.length
    return text
  }

  /** Digits that `accepts` takes, at most so many. */
  digits(accepts: (character: string) => boolean, most: number): string {
    const start = this.#position
    while (this.#position - start < most && !this.done && accepts(this.peek())) this.#position++
    return this.#source.slice(start, this.#position)
  }

  /** Whether an escape that begins with these digits is an octal code: three digits from 0 to 7. */
  isOctal(): boolean {
    return [0, 1, 2].every((offset) => isOctalDigit(this.#source[this.#position + offset]))
  }

  /** `*`, `+`, `?`, `{n}`, `{n,}`, `{n,m}`; any other { stands for itself. */
  quantifier(): { min: number; max: number } | undefined {
    if (this.take('*')) return { min: 0, max: Number.POSITIVE_INFINITY }
    if (this.take('+')) return { min: 1, max: Number.POSITIVE_INFINITY }
    if (this.take('?')) return { min: 0, max: 1 }
    const start = this.#position
    const bounds = this.take('{') ? this.#bounds() : undefined
    if (!bounds) this.#position = start
    return bounds
  }

  #bounds(): { min: number; max: number } | undefined {
    const least = this.digits(isDigit, 5)
    if (least === '') return undefined
    const min = Number(least)
    if (this.take('}')) return { min, max: min }
    if (!this.take(',')) return undefined
    const most = this.digits(isDigit, 5)
    if (!this.take('}')) return undefined
    return { min, max: most === '' ? Number.POSITIVE_INFINITY : Number(most) }
  }

  /** Letters of `(?i)` or `?i:`, when such a thing stands here and ends so; passes it. */
  flagsUntil(end: ')' | ':', begin = '(?'): string | undefined {
    if (!this.at(begin)) return undefined
    let stop = this.#position + begin.length
    while ('imsxU-'.includes(this.#source[stop] ?? ' ')) stop++
    if (this.#source[stop] !== end || stop === this.#position + begin.length) return undefined
    const letters = this.#source.slice(this.#position + begin.length, stop)
    this.#position = stop + 1
    return letters
  }

  takeLookAround(): boolean {
    return ['?=', '?!', '?<=', '?<!'].some((start) => this.at(start))
  }

  /** `?<name>`; what begins with ?<= or ?<! is something else. */
  takeName(): boolean {
    return !this.at('?<=') && !this.at('?<!') && this.take('?<')
  }

  skipName(): true {
    this.upTo('>')
    return true
  }

  /** Blanks and comments, which (?x) allows. */
  skipExtendedSpace(): void {
    for (;;) {
      if (this.take('#')) this.upTo('\n')
      else if (!this.done && ' \t\n\v\f\r'.includes(this.peek())) this.#position++
      else return
    }
  }
}
