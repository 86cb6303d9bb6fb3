import type { AnswerReply } from '../plugins/contract.ts'
import type { Challenges } from '../worker-messages.ts'

const prefix = '/.well-known/acme-challenge/'

/**
 * What a request is answered that asks for the token of a challenge which is open now (RFC 8555 section 8.3);
 * undefined for every other, which is the routes' to answer.
 */
export function challengeResponse(
  { method, path }: { readonly method: string; readonly path: string },
  responses: Challenges['http'],
): string | undefined {
  if (responses.size === 0 || !path.startsWith(prefix)) return undefined
  return method === 'GET' || method === 'HEAD' ? responses.get(path.slice(prefix.length)) : undefined
}

/** The answer to such a request. */
export const challengeAnswer = (response: string): AnswerReply => ({
  status: 200,
  headers: [['content-type', 'application/octet-stream']],
  body: Buffer.from(response),
})
