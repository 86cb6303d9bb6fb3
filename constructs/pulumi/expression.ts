/*
 * Terraform's expressions (the native syntax specification of HCL, "Expressions" and "Templates"), as far as cdktf emits
 * them: literals, references, indices, calls, operators, conditions, lists, objects and `for` over a list.
 */

export type Expression =
  | { readonly kind: 'literal'; readonly value: unknown }
  | { readonly kind: 'template'; readonly parts: readonly Expression[] }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'attribute'; readonly of: Expression; readonly name: string }
  | { readonly kind: 'index'; readonly of: Expression; readonly index: Expression }
  | { readonly kind: 'call'; readonly name: string; readonly arguments: readonly Expression[] }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'object'; readonly entries: readonly (readonly [Expression, Expression])[] }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: Expression }
  | {
      readonly kind: 'binary'
      readonly operator: string
      readonly left: Expression
      readonly right: Expression
    }
  | {
      readonly kind: 'condition'
      readonly test: Expression
      readonly yes: Expression
      readonly no: Expression
    }
  | {
      readonly kind: 'for'
      readonly item: string
      readonly of: Expression
      readonly result: Expression
      readonly test?: Expression
    }

const token =
  /\s*(?:(?<number>\d+(?:\.\d+)?)|(?<name>[A-Za-z_][\w-]*)|(?<operator>&&|\|\||[=!<>]=|=>|[-+*/%<>!?:=.,()[\]{}])|(?<quote>"))/y

const precedence = [['||'], ['&&'], ['==', '!='], ['<', '<=', '>', '>='], ['+', '-'], ['*', '/', '%']]

/**
 * Parses a string of Terraform's JSON syntax, in which `${…}` begins an expression and `$${` is `${`.
 * @returns a template with a part for each piece; a text without expressions is a literal
 * @throws Error that names the expression when it is none, or one that is not known here
 */
export function parseTemplate(text: string): Expression {
  const parser = new Parser(text)
  const parts = parser.template(undefined)
  if (parts.length === 0) return { kind: 'literal', value: '' }
  return parts.length === 1 ? parts[0]! : { kind: 'template', parts }
}

class Parser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Up to the end of the text, or to a quote that ends a string in an expression. */
  template(end: '"' | undefined): Expression[] {
    const parts: Expression[] = []
    let literal = ''
    while (this.#at < this.#text.length && this.#text[this.#at] !== end) {
      const next = this.#text.slice(this.#at, this.#at + 3)
      if (next === '$${' || next === '%%{') {
        literal += next.slice(1)
        this.#at += 3
      } else if (next.startsWith('%{')) this.#fail('directives are not known here')
      else if (next.startsWith('${')) {
        if (literal) parts.push({ kind: 'literal', value: literal })
        literal = ''
        this.#at += 2
        parts.push(this.#expression())
        this.#expect('}')
      } else literal += end ? this.#escaped() : this.#text[this.#at++]
    }
    if (literal) parts.push({ kind: 'literal', value: literal })
    return parts
  }

  #escaped(): string {
    const character = this.#text[this.#at++]!
    if (character !== '\\') return character
    const code = this.#text[this.#at++] ?? ''
    const known: Record<string, string> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\' }
    return known[code] ?? this.#fail(`the escape \\${code} is not known here`)
  }

  #expression(): Expression {
    const test = this.#binary(0)
    if (!this.#take('?')) return test
    const yes = this.#expression()
    this.#expect(':')
    return { kind: 'condition', test, yes, no: this.#expression() }
  }

  #binary(level: number): Expression {
    const operators = precedence[level]
    if (!operators) return this.#unary()
    let left = this.#binary(level + 1)
    for (;;) {
      const operator = operators.find((candidate) => this.#take(candidate))
      if (!operator) return left
      left = { kind: 'binary', operator, left, right: this.#binary(level + 1) }
    }
  }

  #unary(): Expression {
    const operator = ['!', '-'].find((candidate) => this.#take(candidate))
    return operator ? { kind: 'unary', operator, operand: this.#unary() } : this.#postfix(this.#primary())
  }

  #postfix(start: Expression): Expression {
    let of = start
    for (;;) {
      if (this.#take('.')) {
        const { number, name } = this.#next()
        if (number) of = { kind: 'index', of, index: { kind: 'literal', value: Number(number) } }
        else if (name) of = { kind: 'attribute', of, name }
        else this.#fail('expected a name behind "."; splats are not known here')
      } else if (this.#take('[')) {
        of = { kind: 'index', of, index: this.#expression() }
        this.#expect(']')
      } else return of
    }
  }

  #primary(): Expression {
    const { number, name, quote, operator } = this.#next()
    if (number) return { kind: 'literal', value: Number(number) }
    if (quote) return this.#quoted()
    if (name) return this.#named(name)
    if (operator === '(') {
      const inner = this.#expression()
      this.#expect(')')
      return inner
    }
    if (operator === '[') return this.#word('for') ? this.#for() : { kind: 'list', items: this.#list(']') }
    if (operator === '{') return this.#object()
    return this.#fail('expected a value')
  }

  #quoted(): Expression {
    const parts = this.template('"')
    if (this.#text[this.#at] !== '"') this.#fail('expected the end of a string')
    this.#at++
    if (parts.length === 0) return { kind: 'literal', value: '' }
    return parts.length === 1 && parts[0]!.kind === 'literal' ? parts[0]! : { kind: 'template', parts }
  }

  #named(name: string): Expression {
    if (name === 'true' || name === 'false') return { kind: 'literal', value: name === 'true' }
    if (name === 'null') return { kind: 'literal', value: null }
    return this.#take('(') ? { kind: 'call', name, arguments: this.#list(')') } : { kind: 'name', name }
  }

  #list(end: string): Expression[] {
    const items: Expression[] = []
    while (!this.#take(end)) {
      items.push(this.#expression())
      if (!this.#take(',')) {
        this.#expect(end)
        break
      }
    }
    return items
  }

  #object(): Expression {
    const entries: [Expression, Expression][] = []
    while (!this.#take('}')) {
      const key = this.#expression()
      if (!this.#take('=')) this.#expect(':')
      entries.push([key.kind === 'name' ? { kind: 'literal', value: key.name } : key, this.#expression()])
      this.#take(',')
    }
    return { kind: 'object', entries }
  }

  #for(): Expression {
    const item = this.#next().name ?? this.#fail('expected a name behind for')
    if (!this.#word('in')) this.#fail('expected "in"; for with a key is not known here')
    const of = this.#expression()
    this.#expect(':')
    const result = this.#expression()
    const test = this.#word('if') ? this.#expression() : undefined
    this.#expect(']')
    return { kind: 'for', item, of, result, ...(test && { test }) }
  }

  #next() {
    token.lastIndex = this.#at
    const match = token.exec(this.#text)
    if (!match) return this.#fail('expected more')
    this.#at = token.lastIndex
    return match.groups as { number?: string; name?: string; operator?: string; quote?: string }
  }

  /** Goes on behind it when it comes next. */
  #take(operator: string): boolean {
    const before = this.#at
    token.lastIndex = before
    const match = token.exec(this.#text)
    const isNext = match?.groups?.operator === operator
    if (isNext) this.#at = token.lastIndex
    return isNext
  }

  #word(word: string): boolean {
    token.lastIndex = this.#at
    const isNext = token.exec(this.#text)?.groups?.name === word
    if (isNext) this.#at = token.lastIndex
    return isNext
  }

  #expect(operator: string) {
    if (!this.#take(operator)) this.#fail(`expected "${operator}"`)
  }

  #fail(problem: string): never {
    throw new Error(
      `the expression ${JSON.stringify(this.#text)} cannot be read at character ${this.#at}: ${problem}`,
    )
  }
}
