/*
 * Structured Field Values for HTTP (RFC 8941), as far as signatures use them: dictionaries, inner lists and their
 * parameters, read strictly and written as the standard wants them.
 */

export type BareItem =
  | { readonly type: 'integer' | 'decimal'; readonly value: number }
  | { readonly type: 'string' | 'token'; readonly value: string }
  | { readonly type: 'bytes'; readonly value: Buffer }
  | { readonly type: 'boolean'; readonly value: boolean }

export type Parameters = ReadonlyMap<string, BareItem>

export interface Item {
  readonly bare: BareItem
  readonly parameters: Parameters
}

export interface InnerList {
  readonly items: readonly Item[]
  readonly parameters: Parameters
}

export type Dictionary = ReadonlyMap<string, Item | InnerList>

export const isInnerList = (member: Item | InnerList): member is InnerList => 'items' in member

/** Reads a dictionary (section 4.2.2); undefined where the text is none. */
export function parseDictionary(text: string): Dictionary | undefined {
  try {
    return new Reader(text).dictionary()
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

class Malformed extends Error {}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  dictionary(): Dictionary {
    const members = new Map<string, Item | InnerList>()
    this.#take(/ */y)
    while (this.#at < this.#text.length) {
      const key = this.#key()
      const member = this.#skip('=')
        ? this.#itemOrInnerList()
        : { bare: { type: 'boolean', value: true } as const, parameters: this.#parameters() }
      members.set(key, member)
      this.#take(/[ \t]*/y)
      if (this.#at === this.#text.length) break
      if (!this.#skip(',')) throw new Malformed()
      this.#take(/[ \t]*/y)
      if (this.#at === this.#text.length) throw new Malformed()
    }
    return members
  }

  #itemOrInnerList(): Item | InnerList {
    return this.#skip('(') ? this.#innerList() : this.#item()
  }

  #innerList(): InnerList {
    const items: Item[] = []
    for (;;) {
      this.#take(/ */y)
      if (this.#skip(')')) return { items, parameters: this.#parameters() }
      items.push(this.#item())
      if (!/[ )]/.test(this.#text[this.#at] ?? '')) throw new Malformed()
    }
  }

  #item(): Item {
    return { bare: this.#bareItem(), parameters: this.#parameters() }
  }

  #parameters(): Parameters {
    const parameters = new Map<string, BareItem>()
    while (this.#skip(';')) {
      this.#take(/ */y)
      const key = this.#key()
      const value: BareItem = this.#skip('=') ? this.#bareItem() : { type: 'boolean', value: true }
      parameters.set(key, value)
    }
    return parameters
  }

  #key(): string {
    return this.#take(/[a-z*][a-z0-9_.*-]*/y)
  }

  #bareItem(): BareItem {
    const first = this.#text[this.#at] ?? ''
    if (/[\d-]/.test(first)) return this.#number()
    if (first === '"') {
      const quoted = this.#take(/"(?:[ !#-[\]-~]|\\["\\])*"/y)
      return { type: 'string', value: quoted.slice(1, -1).replace(/\\(.)/g, '$1') }
    }
    if (first === ':') {
      const encoded = this.#take(/:[A-Za-z0-9+/]*={0,2}:/y)
      return { type: 'bytes', value: Buffer.from(encoded.slice(1, -1), 'base64') }
    }
    if (first === '?') return { type: 'boolean', value: this.#take(/\?[01]/y) === '?1' }
    return { type: 'token', value: this.#take(/[A-Za-z*][\w!#$%&'*+.^`|~:/-]*/y) }
  }

  #number(): BareItem {
    const text = this.#take(/-?\d+(?:\.\d+)?/y)
    const [whole = '', fraction] = text.replace('-', '').split('.')
    if (whole.length > (fraction === undefined ? 15 : 12) || (fraction?.length ?? 0) > 3)
      throw new Malformed()
    return { type: fraction === undefined ? 'integer' : 'decimal', value: Number(text) }
  }

  /** What matches here; it must. */
  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (!match) throw new Malformed()
    this.#at = pattern.lastIndex
    return match[0]
  }

  #skip(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }
}

/** Section 4.1.1. */
export function writeMember(member: Item | InnerList): string {
  if (!isInnerList(member)) return writeItem(member)
  return `(${member.items.map(writeItem).join(' ')})${writeParameters(member.parameters)}`
}

export const writeItem = ({ bare, parameters }: Item): string =>
  writeBareItem(bare) + writeParameters(parameters)

function writeParameters(parameters: Parameters): string {
  let text = ''
  for (const [key, value] of parameters)
    text += value.type === 'boolean' && value.value ? `;${key}` : `;${key}=${writeBareItem(value)}`
  return text
}

function writeBareItem(item: BareItem): string {
  switch (item.type) {
    case 'integer':
      return String(item.value)
    case 'decimal':
      return Number.isInteger(item.value) ? item.value.toFixed(1) : String(item.value)
    case 'string':
      return `"${item.value.replace(/["\\]/g, '\\$&')}"`
    case 'token':
      return item.value
    case 'bytes':
      return `:${item.value.toString('base64')}:`
    case 'boolean':
      return item.value ? '?1' : '?0'
  }
}
