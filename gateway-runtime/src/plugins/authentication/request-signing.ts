import { createPrivateKey, createSecretKey, type KeyObject, randomUUID } from 'node:crypto'
import { z } from 'zod'
import { duration } from '../../config/duration.ts'
import { HeaderKind, headerName } from '../../data-plane/http1/header-name.ts'
import { type Consumer, definePlugin, type Exchange } from '../contract.ts'
import { contentDigest } from './http-signatures/content-digest.ts'
import {
  type SignatureAlgorithm,
  signatureAlgorithms,
  signatureKeyProblem,
  signatureOf,
} from './http-signatures/signature-algorithms.ts'
import { type SignedRequest, signatureBase } from './http-signatures/signature-base.ts'
import type { BareItem, InnerList } from './http-signatures/structured-fields.ts'
import { writeMember } from './http-signatures/structured-fields.ts'

const targetComponents = ['@method', '@path', '@query', '@request-target']
const consumerFields = ['x-consumer-username', 'x-consumer-custom-id', 'x-consumer-groups']

/** What the service gets as it stands here, not what frames the message or comes with a connection. */
const isSignable = (name: string): boolean => {
  if (targetComponents.includes(name) || consumerFields.includes(name)) return true
  const { kind } = headerName(name)
  return kind === HeaderKind.other || kind === HeaderKind.singleton || kind === HeaderKind.date
}

const ascii = z.string().regex(/^[\x20-\x7e]{1,256}$/, 'expected 1 to 256 ASCII characters')

const settings = z
  .strictObject({
    key_id: ascii.describe('What signatures name: keyid.'),
    algorithm: z.enum(signatureAlgorithms),
    secret: z
      .string()
      .min(32)
      .max(4_096)
      .optional()
      .describe('With hmac-sha256; best as a reference to a file.'),
    private_key: z
      .string()
      .max(65_536)
      .optional()
      .describe('With the other algorithms: PEM text, as a reference to a file.'),
    components: z
      .array(
        z
          .string()
          .max(128)
          .refine(
            isSignable,
            `expected ${targetComponents.join(', ')}, or a header that services get as it is`,
          ),
      )
      .min(1)
      .max(64)
      .default(['@method', '@path', '@query', 'content-type', 'content-digest', ...consumerFields])
      .describe('What is signed, as the service gets it. Headers that a request does not have are left out.'),
    content_digest: z
      .boolean()
      .default(true)
      .describe('Whether the body is read, and Content-Digest (RFC 9530) says which it is.'),
    body_bytes: z
      .int()
      .min(0)
      .max(104_857_600)
      .default(1_048_576)
      .describe('Body that is read for that: 413 past it.'),
    expires: duration.default(60_000).describe('How long the service may take the signature.'),
    nonce: z
      .boolean()
      .default(false)
      .describe('Whether there is a nonce. A request that is tried again has the same one.'),
    label: z
      .string()
      .regex(/^[a-z*][a-z0-9_.*-]{0,63}$/, 'expected lower-case letters, digits, "_", "-", "." or "*"')
      .default('gateway'),
    tag: ascii.optional(),
  })
  .superRefine(({ algorithm, secret, private_key }, { addIssue }) => {
    if (algorithm === 'hmac-sha256') {
      if (secret === undefined || private_key !== undefined)
        addIssue({
          code: 'custom',
          path: ['secret'],
          message: 'hmac-sha256 needs secret, and no private_key',
        })
      return
    }
    const key = readPrivateKey(private_key ?? '')
    const problem =
      secret !== undefined || !key
        ? `${algorithm} needs private_key, as PEM text, and no secret`
        : signatureKeyProblem(key, algorithm)
    if (problem !== undefined) addIssue({ code: 'custom', path: ['private_key'], message: problem })
  })
type Settings = z.output<typeof settings>

/** Signs what goes to services, so that they can tell that it came through the gateway as it is. */
export const requestSigning = definePlugin({
  name: 'request-signing',
  // Behind all that changes a request.
  order: 5,
  description:
    'Signs requests for their services by HTTP Message Signatures (RFC 9421), with the digest of their body.',
  config: settings,
  counters: { signed: 'Requests that were signed.' },
  create(config, gateway) {
    const key = keyOf(config)
    const sign = (exchange: Exchange, signed: SignedRequest) => {
      const input = inputOf(config, signed)
      const signature = signatureOf(signatureBase(signed, input), key, config.algorithm as SignatureAlgorithm)
      // What the client signed was for the gateway: of two signatures none can be taken for the other.
      exchange.request.setHeader('signature-input', `${config.label}=${writeMember(input)}`)
      exchange.request.setHeader('signature', `${config.label}=:${signature.toString('base64')}:`)
      gateway.count('signed')
      return undefined
    }
    return {
      onRequest(exchange) {
        const { request } = exchange
        const signed = upstreamRequest(exchange)
        if (!signed) return undefined
        if (!config.content_digest || request.contentLength === 0) return sign(exchange, signed)
        return request.body(config.body_bytes).then((body) => {
          request.setHeader('content-digest', contentDigest(body))
          return sign(exchange, signed)
        })
      },
    }
  },
})

/** The request as its service gets it. */
function upstreamRequest({ request, consumer }: Exchange): SignedRequest | undefined {
  const target = request.upstreamTarget
  if (target === undefined) return undefined
  const mark = target.indexOf('?')
  return {
    method: request.method,
    scheme: '',
    authority: '',
    path: mark < 0 ? target : target.substring(0, mark),
    query: mark < 0 ? '' : target.substring(mark),
    headers: () => [...request.headers(), ...fieldsOf(consumer)],
  }
}

/** What the gateway tells services of a consumer. */
function fieldsOf(consumer: Consumer | undefined): [string, string][] {
  if (!consumer) return []
  const { name, customId, groups } = consumer
  return [
    ['x-consumer-username', name],
    ...(customId === undefined ? [] : [['x-consumer-custom-id', customId] satisfies [string, string]]),
    ...(groups.length === 0 ? [] : [['x-consumer-groups', groups.join(', ')] satisfies [string, string]]),
  ]
}

function inputOf(config: Settings, signed: SignedRequest): InnerList {
  const present = new Set([...signed.headers()].map(([name]) => name))
  const components = config.components.filter((name) => name.startsWith('@') || present.has(name))
  const created = Math.floor(Date.now() / 1_000)
  const parameters = new Map<string, BareItem>([
    ['created', { type: 'integer', value: created }],
    ['expires', { type: 'integer', value: created + Math.ceil(config.expires / 1_000) }],
    ['keyid', { type: 'string', value: config.key_id }],
    ['alg', { type: 'string', value: config.algorithm }],
  ])
  if (config.nonce) parameters.set('nonce', { type: 'string', value: randomUUID() })
  if (config.tag !== undefined) parameters.set('tag', { type: 'string', value: config.tag })
  const items = components.map((name) => ({
    bare: { type: 'string', value: name } as const,
    parameters: new Map<string, BareItem>(),
  }))
  return { items, parameters }
}

const keyOf = ({ secret, private_key }: Settings): KeyObject =>
  secret === undefined ? createPrivateKey(private_key!) : createSecretKey(secret, 'utf8')

function readPrivateKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}
