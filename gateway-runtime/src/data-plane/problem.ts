import { STATUS_CODES } from 'node:http'

/** An answer that the gateway makes itself. `code` is stable, for programs. */
export interface Problem {
  readonly status: number
  readonly code: string
  /** For the client; never an address, a version or a stack. Empty: an answer without a body. */
  readonly detail: string
}

export const problem = (status: number, code: string, detail: string): Problem => ({ status, code, detail })

/** The body of a problem as application/problem+json (RFC 9457), in ASCII. */
export function problemBody({ status, code, detail }: Problem, requestId: string): string {
  if (detail === '') return ''
  const body = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code,
    detail,
    request_id: requestId,
  }
  return `${JSON.stringify(body).replace(/[^\x20-\x7e]/g, escapeCharacter)}\n`
}

/** A character as JSON writes it in ASCII. */
export const escapeCharacter = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
