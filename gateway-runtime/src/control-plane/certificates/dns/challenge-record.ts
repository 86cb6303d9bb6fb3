import { hash } from 'node:crypto'

/** Name and text of the TXT record that dns-01 is answered with (RFC 8555 section 8.4). */
export function challengeRecord(
  domain: string,
  keyAuthorization: string,
): { readonly name: string; readonly text: string } {
  return {
    name: `_acme-challenge.${domain.replace(/^\*\./, '')}`,
    text: hash('sha256', keyAuthorization, 'base64url'),
  }
}
