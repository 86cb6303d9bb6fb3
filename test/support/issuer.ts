import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose'
import { startUpstream } from './upstream.ts'

/** An issuer of tokens that runs as an HTTP server, with keys that come and go. */
export interface TestIssuer {
  /** `http://127.0.0.1:PORT`, which is its name (iss), too. */
  readonly url: string
  readonly keysUrl: string
  /** Whether it answers 503 to everything. */
  isOut: boolean
  /** How often it was asked for its keys. */
  readonly asked: number
  /** What it says of tokens that are no JWT (RFC 7662). */
  readonly tokens: Map<string, object>
  /** Requests for introspection, with the Authorization that came with them. */
  readonly introspections: { readonly token: string; readonly authorization: string | undefined }[]
  addKey(kid: string, algorithm?: string): Promise<void>
  removeKey(kid: string): void
  /** A token that is valid for an hour, with these claims besides, or in place of the usual ones. */
  sign(claims?: JWTPayload, kid?: string): Promise<string>
  stop(): Promise<void>
}

interface OwnKey {
  readonly algorithm: string
  readonly publicKey: JWK
  readonly privateKey: CryptoKey
}

/** Starts an issuer with one key, `first`, for ES256. */
export async function startIssuer(): Promise<TestIssuer> {
  const keys = new Map<string, OwnKey>()
  const tokens: TestIssuer['tokens'] = new Map()
  const introspections: { token: string; authorization: string | undefined }[] = []
  let asked = 0

  const server = await startUpstream((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    request.on('end', () => {
      const answer = issuer.isOut
        ? undefined
        : answerTo(request.url ?? '', body, request.headers.authorization)
      response.statusCode = answer === undefined ? 503 : 200
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(answer ?? {}))
    })
  })

  const answerTo = (path: string, body: string, authorization: string | undefined): object | undefined => {
    if (path === '/keys') {
      asked++
      return { keys: [...keys.values()].map(({ publicKey }) => publicKey) }
    }
    if (path === '/.well-known/openid-configuration')
      return {
        issuer: server.url,
        jwks_uri: `${server.url}/keys`,
        introspection_endpoint: `${server.url}/introspect`,
      }
    if (path !== '/introspect') return undefined
    const token = new URLSearchParams(body).get('token') ?? ''
    introspections.push({ token, authorization })
    return tokens.get(token) ?? { active: false }
  }

  const issuer: TestIssuer = {
    url: server.url,
    keysUrl: `${server.url}/keys`,
    isOut: false,
    get asked() {
      return asked
    },
    tokens,
    introspections,
    addKey: async (kid, algorithm = 'ES256') => {
      const { publicKey, privateKey } = await generateKeyPair(algorithm)
      keys.set(kid, {
        algorithm,
        privateKey,
        publicKey: { ...(await exportJWK(publicKey)), kid, alg: algorithm },
      })
    },
    removeKey: (kid) => void keys.delete(kid),
    sign: (claims = {}, kid = 'first') => {
      const { algorithm, privateKey } = keys.get(kid)!
      const now = Math.floor(Date.now() / 1_000)
      const usual = { iss: server.url, sub: 'user-1', aud: 'api', iat: now, exp: now + 3_600 }
      return new SignJWT({ ...usual, ...claims }).setProtectedHeader({ alg: algorithm, kid }).sign(privateKey)
    },
    stop: () => server.stop(),
  }
  await issuer.addKey('first')
  return issuer
}
