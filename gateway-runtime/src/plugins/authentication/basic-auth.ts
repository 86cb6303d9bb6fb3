import { z } from 'zod'
import { duration } from '../../config/duration.ts'
import {
  type Credential,
  defineCredentials,
  definePlugin,
  type Exchange,
  type ProblemReply,
} from '../contract.ts'
import { commonSettings } from './common-settings.ts'
import { type PasswordHash, parsePasswordHash, unmatchedHash } from './password-hash.ts'
import { PasswordVerifier, TooManyPasswords } from './password-verifier.ts'

const missing: ProblemReply = {
  status: 401,
  code: 'no-password',
  detail: 'This needs the name and password of a user.',
}
const wrong: ProblemReply = {
  status: 401,
  code: 'wrong-password',
  detail: 'There is no user of this name with this password.',
}
const busy: ProblemReply = {
  status: 503,
  code: 'overloaded',
  detail: 'Too many passwords are to be verified; try again later.',
}

const longestCredentials = 2_048

interface PasswordCredential {
  readonly username: string
  readonly hash: string
}

/** Knows consumers by name and password (RFC 7617). A password costs tens of milliseconds once, on another thread. */
export const basicAuth = definePlugin({
  name: 'basic-auth',
  order: 1100,
  description: 'Lets in those who show the user name and password of a consumer; answers 401 to others.',
  config: z.strictObject({
    ...commonSettings,
    realm: z
      .string()
      .regex(/^[ !#-[\]-~]{1,128}$/, 'expected 1 to 128 ASCII characters without " and \\')
      .default('gateway')
      .describe('What browsers call the place that the password is for.'),
    remembered: duration
      .default(300_000)
      .describe('Time in which a password that was verified is not verified again.'),
    cache_size: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(10_000)
      .describe('Passwords that each worker remembers, of right ones and of wrong ones.'),
    verifications: z
      .int()
      .min(1)
      .max(64)
      .default(2)
      .describe('Passwords that each worker verifies at once; some tens of milliseconds and 19 MiB each.'),
    waiting: z
      .int()
      .min(0)
      .max(10_000)
      .default(100)
      .describe('Requests of each worker that wait for that; past it, 503.'),
  }),
  examples: [{ realm: 'orders' }],
  credentials: defineCredentials({
    schema: z.strictObject({
      username: z.string().regex(/^[^:\p{Cc}]{1,256}$/u, 'expected 1 to 256 characters without ":"'),
      hash: z
        .string()
        .refine(
          (text) => parsePasswordHash(text) !== undefined,
          'this is no argon2id hash in the PHC string format, or one that costs over 256 MiB or 16 passes; gateway-cli consumers add --basic-auth USER makes one',
        )
        .describe('argon2id in the PHC string format: $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH'),
    }),
    key: ({ username }) => username,
  }),
  counters: {
    refused: 'Requests without the name and password of a user.',
    overloaded: 'Requests that were refused as too many passwords were to be verified.',
  },
  create(config, gateway) {
    const verifier = new PasswordVerifier({
      remembered: config.remembered,
      capacity: config.cache_size,
      atOnce: config.verifications,
      waiting: config.waiting,
    })
    const users = new Map<string, Credential<PasswordHash>>()
    for (const [username, { consumer, value }] of gateway.credentials) {
      const { hash } = value as PasswordCredential
      users.set(username, { consumer, value: parsePasswordHash(hash)! })
    }
    // Whether there is a user cannot be told by how long a wrong password takes.
    const nobody = unmatchedHash(users.values().next().value?.value)

    const refuse = (exchange: Exchange, reply: ProblemReply) => {
      gateway.count('refused')
      exchange.setResponseHeader('www-authenticate', `Basic realm="${config.realm}", charset="UTF-8"`)
      return reply
    }
    const conclude = (exchange: Exchange, user: Credential | undefined, isRight: boolean) => {
      if (!isRight || !user) return refuse(exchange, wrong)
      exchange.authenticate(user.consumer)
      if (config.hide_credentials) exchange.request.removeHeader('authorization')
      return undefined
    }
    return {
      onRequest(exchange) {
        if (exchange.consumer) return undefined
        const shown = readBasic(exchange.request.header('authorization'))
        if (shown === undefined) return config.anonymous ? undefined : refuse(exchange, missing)
        if (shown === 'malformed') return refuse(exchange, wrong)
        const user = users.get(shown.username)
        try {
          const verdict = verifier.verify(shown.username, shown.password, user?.value ?? nobody)
          if (typeof verdict === 'boolean') return conclude(exchange, user, verdict)
          return verdict.then((isRight) => conclude(exchange, user, isRight))
        } catch (error) {
          if (!(error instanceof TooManyPasswords)) throw error
          gateway.count('overloaded')
          exchange.setResponseHeader('retry-after', '1')
          return busy
        }
      },
    }
  },
})

interface Shown {
  readonly username: string
  readonly password: string
}

/** Of an Authorization field (RFC 7617 section 2); undefined where it is of another scheme. */
function readBasic(field: string | undefined): Shown | 'malformed' | undefined {
  const match = /^basic(?: +(.*))?$/i.exec(field ?? '')
  if (!match) return undefined
  const encoded = match[1] ?? ''
  if (encoded.length > longestCredentials || !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return 'malformed'
  const text = Buffer.from(encoded, 'base64').toString()
  const colon = text.indexOf(':')
  return colon < 0 ? 'malformed' : { username: text.substring(0, colon), password: text.substring(colon + 1) }
}
