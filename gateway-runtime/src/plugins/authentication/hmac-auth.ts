import { z } from 'zod'
import { duration } from '../../config/duration.ts'
import {
  defineCredentials,
  definePlugin,
  type Exchange,
  type PluginContext,
  type ProblemReply,
  type Reply,
} from '../contract.ts'
import { commonSettings } from './common-settings.ts'
import { ClusterNonces, type NonceCall } from './http-signatures/cluster-nonces.ts'
import { isDigestOf } from './http-signatures/content-digest.ts'
import { NonceStore, nonceMemory } from './http-signatures/nonce-store.ts'
import {
  hasSignature,
  type ReceivedSignature,
  receivedSignature,
} from './http-signatures/received-signature.ts'
import { isSignature, signatureAlgorithms } from './http-signatures/signature-algorithms.ts'
import { NoSuchComponent, signatureBase } from './http-signatures/signature-base.ts'
import { signatureCredential } from './http-signatures/signature-credentials.ts'
import { coveredComponents, lastUse, ruleBroken, signedRequest } from './http-signatures/signature-rules.ts'

const missing: ProblemReply = {
  status: 401,
  code: 'no-signature',
  detail: 'This needs a signature (RFC 9421); Accept-Signature says what it covers.',
}
const invalid: ProblemReply = {
  status: 401,
  code: 'invalid-signature',
  detail: 'The signature is not valid here: wrong, too old, used before, or it covers too little.',
}
const unknowable: ProblemReply = {
  status: 503,
  code: 'overloaded',
  detail: 'Whether the signature was used before is not known now; sign the request anew and try later.',
}
const full: ProblemReply = {
  status: 503,
  code: 'overloaded',
  detail: 'Too many signatures are to be remembered; try again later.',
}

const derivedComponents = [
  '@method',
  '@target-uri',
  '@authority',
  '@scheme',
  '@request-target',
  '@path',
  '@query',
]

const settings = z.strictObject({
  ...commonSettings,
  algorithms: z
    .array(z.enum(signatureAlgorithms))
    .min(1)
    .default([...signatureAlgorithms]),
  required_components: z
    .array(
      z
        .string()
        .refine(
          (name) => derivedComponents.includes(name) || /^[a-z0-9-]{1,128}$/.test(name),
          `expected ${derivedComponents.join(', ')}, or a header in lower case`,
        ),
    )
    .max(64)
    .default(['@method', '@authority', '@path', '@query'])
    .describe(
      'What a signature must cover at least; @target-uri covers @scheme, @authority, @path and @query.',
    ),
  require_content_digest: z
    .boolean()
    .default(true)
    .describe('Whether a request with a body must have a Content-Digest (RFC 9530) that is covered.'),
  body_bytes: z
    .int()
    .min(0)
    .max(104_857_600)
    .default(1_048_576)
    .describe('Body that is read to check its digest: 413 past it.'),
  clock_skew: duration.default(30_000).describe('How far the clock of a client may be off.'),
  max_age: duration.default(300_000).describe('How long after its creation a signature is taken.'),
  tag: z
    .string()
    .regex(/^[\x20-\x7e]{1,256}$/, 'expected 1 to 256 ASCII characters')
    .optional()
    .describe('Only signatures with this tag are looked at.'),
  nonce: z
    .enum(['required', 'optional', 'ignored'])
    .default('optional')
    .describe('A signature with a nonce is taken once, by any worker; see sync for several nodes.'),
  sync: z
    .enum(['node', 'cluster'])
    .default('node')
    .describe('Whether each node goes by the nonces that it has seen itself, or all by those in Redis, too.'),
  on_failure: z
    .enum(['closed', 'open'])
    .default('closed')
    .describe(
      'With sync: cluster, while Redis does not answer: closed: 503 for signatures with a nonce. open: each node goes by what it has seen itself.',
    ),
  nonce_memory: z
    .int()
    .min(65_536)
    .max(1_073_741_824)
    .default(8_388_608)
    .describe(
      'Bytes for nonces of one node: at 8 MiB over 500,000 within max_age; 503 where there is no room.',
    ),
})
type Settings = z.output<typeof settings>

/** Knows consumers by HTTP Message Signatures (RFC 9421), by an HMAC or a key pair. */
export const hmacAuth = definePlugin({
  name: 'hmac-auth',
  order: 1030,
  description:
    'Lets in those whose requests are signed (HTTP Message Signatures, RFC 9421) by a key of a consumer, with bodies as they were signed; answers 401 to others.',
  config: settings,
  examples: [{ required_components: ['@method', '@target-uri'], nonce: 'required' }],
  credentials: defineCredentials({ schema: signatureCredential, key: ({ key_id }) => key_id }),
  counters: {
    refused: 'Requests without a signature that is valid.',
    replayed: 'Of them those whose nonce was used before.',
    without_redis: 'Nonces that were looked for in Redis while it did not answer.',
  },
  sharedMemory: ({ nonce_memory }) => nonceMemory(nonce_memory),
  create: (config, gateway) => new SignatureHandlers(config, gateway),
  serve: ({ sync }, node) => (sync === 'cluster' ? new ClusterNonces(node) : { stop() {} }),
})

class SignatureHandlers {
  readonly #config: Settings
  readonly #gateway: PluginContext
  readonly #nonces: NonceStore
  readonly #acceptSignature: string

  constructor(config: Settings, gateway: PluginContext) {
    this.#config = config
    this.#gateway = gateway
    this.#nonces = new NonceStore(gateway.sharedMemory!)
    const components = config.required_components.map((name) => `"${name}"`).join(' ')
    const nonce = config.nonce === 'required' ? ';nonce' : ''
    this.#acceptSignature = `sig=(${components});created;keyid${nonce}`
  }

  onRequest(exchange: Exchange): Reply | undefined | Promise<Reply | undefined> {
    if (exchange.consumer) return undefined
    const { request } = exchange
    if (!hasSignature(request)) return this.#config.anonymous ? undefined : this.#refuse(exchange, missing)
    const received = receivedSignature(request, {
      credentials: this.#gateway.credentials,
      tag: this.#config.tag,
    })
    if (typeof received === 'string') return this.#refuse(exchange, invalid, received)
    const covered = coveredComponents(received)
    const problem = ruleBroken(received, covered, request.contentLength !== 0, this.#config)
    if (problem !== undefined) return this.#refuse(exchange, invalid, problem)
    const isRight = this.#verify(exchange, received)
    if (typeof isRight === 'string') return this.#refuse(exchange, invalid, isRight)
    if (typeof isRight === 'boolean' && !covered.has('content-digest'))
      return this.#conclude(exchange, received, isRight, true)
    return this.#finish(exchange, received, isRight, covered)
  }

  /** A text says what is missing to verify it. */
  #verify({ request }: Exchange, { input, signature, verifyingKey }: ReceivedSignature) {
    const signed = signedRequest(request)
    if (!signed) return 'Host is not the host that is asked for'
    try {
      return isSignature(signatureBase(signed, input), signature, verifyingKey.key, verifyingKey.algorithm)
    } catch (error) {
      if (error instanceof NoSuchComponent) return error.message
      throw error
    }
  }

  async #finish(
    exchange: Exchange,
    received: ReceivedSignature,
    verdict: boolean | Promise<boolean>,
    covered: ReadonlySet<string>,
  ): Promise<Reply | undefined> {
    // A body is read for those alone whose signature is right.
    const isRight = await verdict
    const isBody = !isRight || !covered.has('content-digest') || (await this.#isBody(exchange))
    return this.#conclude(exchange, received, isRight, isBody)
  }

  async #isBody({ request }: Exchange): Promise<boolean> {
    const fields = [...request.headers()].filter(([name]) => name === 'content-digest')
    const body = await request.body(this.#config.body_bytes)
    return isDigestOf(body, fields.map(([, value]) => value).join(', '))
  }

  #conclude(
    exchange: Exchange,
    received: ReceivedSignature,
    isRight: boolean,
    isBody: boolean,
  ): Reply | undefined | Promise<Reply | undefined> {
    if (!isRight) return this.#refuse(exchange, invalid, 'it is wrong')
    if (!isBody) return this.#refuse(exchange, invalid, 'the body is not that of content-digest')
    const { nonce, keyId } = received
    if (nonce === undefined || this.#config.nonce === 'ignored') return this.#letIn(exchange, received)
    const call = { nonce: `${keyId}\n${nonce}`, until: lastUse(received, this.#config) }
    const verdict = this.#nonces.take(call.nonce, call.until)
    if (verdict === 'full') return this.#refuseAsFull(exchange)
    if (verdict === 'used') return this.#refuseReplay(exchange)
    return this.#config.sync === 'cluster'
      ? this.#askCluster(exchange, received, call)
      : this.#letIn(exchange, received)
  }

  /** Whether another node has seen the nonce that is new to this one. */
  async #askCluster(
    exchange: Exchange,
    received: ReceivedSignature,
    call: NonceCall,
  ): Promise<Reply | undefined> {
    const isNew = await this.#gateway.call(call).catch(() => {
      this.#gateway.count('without_redis')
      return this.#config.on_failure === 'open' ? true : undefined
    })
    if (isNew === true) return this.#letIn(exchange, received)
    if (isNew === false) return this.#refuseReplay(exchange)
    exchange.setResponseHeader('retry-after', '5')
    return unknowable
  }

  #letIn(exchange: Exchange, { credential }: ReceivedSignature): undefined {
    exchange.authenticate(credential.consumer)
    if (!this.#config.hide_credentials) return
    exchange.request.removeHeader('signature')
    exchange.request.removeHeader('signature-input')
  }

  #refuseReplay(exchange: Exchange): Reply {
    this.#gateway.count('replayed')
    return this.#refuse(exchange, invalid, 'its nonce was used before')
  }

  #refuseAsFull(exchange: Exchange): Reply {
    this.#gateway.log('error', 'no room for nonces', { nonce_memory: this.#config.nonce_memory })
    exchange.setResponseHeader('retry-after', '5')
    return full
  }

  /** @param reason - for the error log */
  #refuse(exchange: Exchange, reply: ProblemReply, reason?: string): Reply {
    this.#gateway.count('refused')
    exchange.setResponseHeader('www-authenticate', 'Signature realm="gateway"')
    exchange.setResponseHeader('accept-signature', this.#acceptSignature)
    if (reason !== undefined) {
      const { routeName, requestId } = exchange
      this.#gateway.log('warn', 'signature refused', { reason, route: routeName, request_id: requestId })
    }
    return reply
  }
}
