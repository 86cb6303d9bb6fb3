import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { createServer } from 'node:http'
import { createServer as createTcpServer, type Server } from 'node:net'
import { hashPassword } from '../../gateway-runtime/src/plugins/authentication/password-hash.ts'
import { apiKey } from './scenarios.ts'

/*
 * What clients show to the plugins that ask who they are, and the servers that plugins talk to besides. These take
 * little, and do not keep the benchmark from ending.
 */

const name = 'bench'
const secret = 'a secret of the benchmark, which is long enough'
const issuerKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const hour = 3_600
const now = () => Math.floor(Date.now() / 1_000)

function token(algorithm: 'HS256' | 'ES256', issuer: string): string {
  const head = base64url({ alg: algorithm, typ: 'JWT', ...(algorithm === 'ES256' && { kid: name }) })
  const text = `${head}.${base64url({ iss: issuer, sub: name, aud: name, iat: now(), exp: now() + 24 * hour })}`
  const signature =
    algorithm === 'HS256'
      ? createHmac('sha256', secret).update(text).digest()
      : sign('sha256', Buffer.from(text), { key: issuerKeys.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${text}.${signature.toString('base64url')}`
}

/** An HTTP message signature (RFC 9421) of method and path. */
function signatureFields(path: string): Record<string, string> {
  const input = `("@method" "@path");created=${now()};keyid="${name}"`
  const base = `"@method": GET\n"@path": ${path}\n"@signature-params": ${input}`
  const signature = createHmac('sha256', secret).update(base).digest('base64')
  return { 'signature-input': `sig1=${input}`, signature: `sig1=:${signature}:` }
}

/** All that a client may be asked for, so that what each plugin reads beside its own is the same. */
export const clientFields = async (path: string): Promise<Readonly<Record<string, string>>> => ({
  apikey: apiKey,
  authorization: `Basic ${Buffer.from(`${name}:${apiKey}`).toString('base64')}`,
  'x-token': token('HS256', name),
  'x-oidc-token': token('ES256', await issuerUrl()),
  ...signatureFields(path),
})

/** The credentials of the one consumer. */
export const consumerCredentials = async () => ({
  'key-auth': [{ key: apiKey }],
  'basic-auth': [{ username: name, hash: await hashPassword(apiKey) }],
  jwt: [{ key: name, algorithm: 'HS256', secret }],
  'hmac-auth': [{ key_id: name, algorithm: 'hmac-sha256', secret }],
})

let issuer: Promise<string> | undefined

/** An issuer of OpenID Connect: its configuration and its keys. */
export function issuerUrl(): Promise<string> {
  issuer ??= listening(
    createServer((request, response) => {
      const url = `http://${request.headers.host}`
      const key = { ...issuerKeys.publicKey.export({ format: 'jwk' }), kid: name, use: 'sig', alg: 'ES256' }
      response.setHeader('content-type', 'application/json')
      response.end(
        JSON.stringify(request.url === '/keys' ? { keys: [key] } : { issuer: url, jwks_uri: `${url}/keys` }),
      )
    }),
  ).then((port) => `http://127.0.0.1:${port}`)
  return issuer
}

let collector: Promise<number> | undefined

/** The port of a server that reads all it is sent over TCP. */
export function collectorPort(): Promise<number> {
  collector ??= listening(createTcpServer((socket) => socket.on('error', () => {}).resume()))
  return collector
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  server.unref()
  return (server.address() as { port: number }).port
}
