/** A request of a corpus, sent to both firewalls byte by byte the same. */
export interface CorpusRequest {
  /** What it is: `sqli`, `xss`, …, or `ordinary`. */
  readonly kind: string
  /** Where it hides what it has, or what it is about. */
  readonly variant: string
  readonly method: string
  readonly target: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string | undefined
}

const common: readonly (readonly [string, string])[] = [
  ['Host', 'api.example.com'],
  ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'],
  ['Accept', 'application/json, text/plain, */*'],
  ['Accept-Language', 'en-GB,en;q=0.7,de;q=0.3'],
  ['Accept-Encoding', 'gzip, deflate, br'],
]

/** A GET; the target stands as it is sent. */
export const queryRequest = (kind: string, variant: string, target: string): CorpusRequest => ({
  kind,
  variant,
  method: 'GET',
  target,
  headers: common,
  body: undefined,
})

function bodyRequest(kind: string, variant: string, type: string, body: string): CorpusRequest {
  const length = String(Buffer.byteLength(body))
  const headers = [...common, ['Content-Type', type], ['Content-Length', length]] as const
  return { kind, variant, method: 'POST', target: '/items', headers, body }
}

export const formRequest = (kind: string, body: string) =>
  bodyRequest(kind, 'form', 'application/x-www-form-urlencoded', body)

export const jsonRequest = (kind: string, body: string, variant = 'JSON') =>
  bodyRequest(kind, variant, 'application/json', body)

export const xmlRequest = (kind: string, body: string) => bodyRequest(kind, 'XML', 'application/xml', body)

export function multipartRequest(kind: string, fields: Readonly<Record<string, string>>): CorpusRequest {
  const boundary = '----form7d93b2a1'
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  const body = `${parts.join('')}--${boundary}--\r\n`
  return bodyRequest(kind, 'multipart', `multipart/form-data; boundary=${boundary}`, body)
}
