import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { RequestRefused } from './admin-problem.ts'
import { verifyToken } from './admin-token.ts'

/**
 * Lets programs of this host pass that hold the token. A page in a browser may reach the port too: one that has its
 * name resolve to this address is known by its Host, any other by its Origin.
 * @throws RequestRefused
 */
export function checkAccess(headers: IncomingHttpHeaders, token: string): void {
  const { host = '', origin, authorization = '' } = headers
  if (!isAddressOrLocalhost(host)) {
    throw new RequestRefused(403, 'host-not-allowed', 'call the admin API by an IP address or as localhost')
  }
  if (origin !== undefined && origin !== `http://${host}`) {
    throw new RequestRefused(403, 'origin-not-allowed', 'pages of other sites may not call the admin API')
  }
  const given = /^Bearer ([^\s]+)$/i.exec(authorization)?.[1]
  if (given === undefined || !verifyToken(given, token)) {
    const advice = 'send "Authorization: Bearer TOKEN" with the content of admin-token in the state folder'
    throw new RequestRefused(
      401,
      'unauthorized',
      `${given === undefined ? 'no' : 'not the right'} token; ${advice}`,
    )
  }
}

function isAddressOrLocalhost(host: string): boolean {
  const name = URL.parse(`http://${host}`)?.hostname
  return name !== undefined && (name === 'localhost' || isIP(name.replace(/^\[|\]$/g, '')) !== 0)
}
