import type { PluginRequest } from '../../contract.ts'
import type { ReceivedSignature } from './received-signature.ts'
import type { SignedRequest } from './signature-base.ts'

export interface SignatureRules {
  readonly algorithms: readonly string[]
  readonly required_components: readonly string[]
  readonly require_content_digest: boolean
  /** Milliseconds. */
  readonly clock_skew: number
  readonly max_age: number
  readonly nonce: 'required' | 'optional' | 'ignored'
}

/** What else a component says. */
const implied: Readonly<Record<string, readonly string[]>> = {
  '@target-uri': ['@scheme', '@authority', '@path', '@query', '@request-target'],
  '@request-target': ['@path', '@query'],
}

/** The components that are signed as a whole, and what they imply. */
export function coveredComponents({ input }: ReceivedSignature): Set<string> {
  const covered = new Set<string>()
  for (const { bare, parameters } of input.items) {
    if (bare.type !== 'string' || parameters.size > 0) continue
    covered.add(bare.value)
    for (const also of Object.hasOwn(implied, bare.value) ? implied[bare.value]! : []) covered.add(also)
  }
  return covered
}

/** Why a signature is not good enough, whether or not it is right; undefined where it is. */
export function ruleBroken(
  received: ReceivedSignature,
  covered: ReadonlySet<string>,
  hasBody: boolean,
  rules: SignatureRules,
): string | undefined {
  const { algorithm } = received.verifyingKey
  if (received.algorithm !== undefined && received.algorithm !== algorithm)
    return 'alg is not that of its key'
  if (!rules.algorithms.includes(algorithm)) return `${algorithm} is not among the algorithms`
  const missing = rules.required_components.find((component) => !covered.has(component))
  if (missing !== undefined) return `it does not cover ${missing}`
  if (hasBody && rules.require_content_digest && !covered.has('content-digest'))
    return 'it does not cover content-digest, and there is a body'
  if (rules.nonce === 'required' && received.nonce === undefined) return 'it has no nonce'
  return timeProblem(received, rules)
}

function timeProblem({ created, expires }: ReceivedSignature, rules: SignatureRules): string | undefined {
  if (created === undefined) return 'it does not say when it was created'
  const now = Date.now() / 1_000
  const skew = rules.clock_skew / 1_000
  // Written so that what is no number is refused.
  if (!(created <= now + skew)) return 'it was created in the future'
  if (!(created + rules.max_age / 1_000 + skew >= now)) return 'it is older than max_age'
  return expires === undefined || expires + skew >= now ? undefined : 'it has expired'
}

/** Seconds of the Unix time up to which the signature would be taken. */
export function lastUse({ created, expires }: ReceivedSignature, rules: SignatureRules): number {
  const byAge = created! + rules.max_age / 1_000
  return Math.min(byAge, expires ?? byAge) + rules.clock_skew / 1_000
}

const usualPorts: Readonly<Record<string, string>> = { http: ':80', https: ':443' }

/**
 * A request as its client has signed it. Undefined where Host is not what the request is routed by: what was signed
 * for one host must not pass for another.
 */
export function signedRequest(request: PluginRequest): SignedRequest | undefined {
  const { method, scheme, path, query, host } = request
  const field = request.header('host')?.toLowerCase() ?? ''
  if (field.replace(/:\d*$/, '') !== host) return undefined
  const port = /:\d*$/.exec(field)?.[0] ?? ''
  const authority = port === ':' || port === usualPorts[scheme] ? host : field
  return { method, scheme, path, query, authority, headers: () => request.headers() }
}
