/** Why a message was refused; `message` is for the log. */
export class ParseError extends Error {
  override readonly name = 'ParseError'
  readonly kind: 'malformed' | 'header-too-large' | 'target-too-large'
  constructor(kind: ParseError['kind'], reason: string) {
    super(reason)
    this.kind = kind
  }
}

export const malformed = (reason: string): ParseError => new ParseError('malformed', reason)
