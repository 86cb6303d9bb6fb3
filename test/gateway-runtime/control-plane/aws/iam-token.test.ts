import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { postgresSchema } from '../../../../gateway-runtime/src/config/postgres-settings.ts'
import { redisSchema } from '../../../../gateway-runtime/src/config/redis-settings.ts'
import { IamTokens } from '../../../../gateway-runtime/src/control-plane/aws/iam-token.ts'
import { iamCredentials } from '../../../../gateway-runtime/src/control-plane/redis/iam-credentials.ts'
import { RedisConnection } from '../../../../gateway-runtime/src/control-plane/redis/redis-connection.ts'
import { type ElastiCache, startElastiCache } from '../../../support/elasticache.ts'
import { eventually } from '../../../support/eventually.ts'
import { checkIamToken } from '../../../support/iam-token-check.ts'
import {
  type InstanceMetadata,
  type RoleCredentials,
  startInstanceMetadata,
} from '../../../support/instance-metadata.ts'

const credentialsEnding = (name: string, milliseconds: number): RoleCredentials => ({
  accessKeyId: `ASIA${name}`,
  secretAccessKey: `secret of ${name}`,
  sessionToken: `session/${name}+=`,
  expiration: new Date(Date.now() + milliseconds),
})
const region = 'eu-central-1'
const environment = { ...process.env }

let metadata: InstanceMetadata
let elastiCache: ElastiCache | undefined

beforeAll(async () => {
  metadata = await startInstanceMetadata(credentialsEnding('FIRST', 3_600_000))
})

afterAll(() => metadata?.stop())

beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
  process.env.AWS_EC2_METADATA_SERVICE_ENDPOINT = metadata.url
  metadata.credentials = credentialsEnding('FIRST', 3_600_000)
})

afterEach(() => {
  elastiCache?.stop()
  process.env = { ...environment }
})

const tokens = (user = 'edge-node') => new IamTokens({ service: 'elasticache', host: 'edge', user, region })

test('a token of the role of the instance names the cluster and the user, and is signed', async () => {
  const claims = checkIamToken(await tokens().next(), 'elasticache', [metadata.credentials])
  expect(claims?.host).toBe('edge')
  expect(claims?.query.get('Action')).toBe('connect')
  expect(claims?.query.get('User')).toBe('edge-node')
  expect(claims?.query.get('X-Amz-Credential')).toContain(`/${region}/elasticache/`)
})

test('one for RDS names host, port and user of the database', async () => {
  const host = 'edge.abc.eu-central-1.rds.amazonaws.com:5432'
  const rds = new IamTokens({ service: 'rds-db', host, user: 'gateway', region })
  const claims = checkIamToken(await rds.next(), 'rds-db', [metadata.credentials])
  expect(claims?.host).toBe(host)
  expect(claims?.query.get('DBUser')).toBe('gateway')
})

test('credentials that are about to expire are replaced before a token is signed with them', async () => {
  metadata.credentials = credentialsEnding('OLD', 60_000)
  const source = tokens()
  await source.next()
  metadata.credentials = credentialsEnding('NEW', 3_600_000)
  const isNew = async () => checkIamToken(await source.next(), 'elasticache', [metadata.credentials])
  await eventually('a token of the new credentials', async () => (await isNew()) !== undefined)
})

test('without region or credentials it says so, and works once they are there', async () => {
  await expect(
    new IamTokens({ service: 'elasticache', host: 'edge', user: 'u', region: undefined }).next(),
  ).rejects.toThrow('no region: give aws_iam.region, or set AWS_REGION')
  process.env.AWS_EC2_METADATA_DISABLED = 'true'
  const source = tokens()
  await expect(source.next()).rejects.toThrow(/credentials/i)
  delete process.env.AWS_EC2_METADATA_DISABLED
  await eventually('a token', () => source.next().then(Boolean, () => false))
})

test('a connection to ElastiCache is let in by its token, and one without role is not', async () => {
  elastiCache = await startElastiCache(
    (user, token) =>
      user === 'edge-node' && checkIamToken(token, 'elasticache', [metadata.credentials]) !== undefined,
  )
  const connect = (username: string) => {
    const settings = {
      cluster: [elastiCache!.address],
      username,
      aws_iam: { cache: 'edge', region },
      tls: {},
      timeout: '2s',
    }
    return new RedisConnection(redisSchema.parse(settings), { ca: elastiCache!.ca }, { write: () => {} })
  }
  const right = connect('edge-node')
  const wrong = connect('somebody')
  try {
    await right.start()
    await eventually('it is connected', () => right.state === 'connected')
    await wrong.start()
    expect(wrong.state).toBe('down')
  } finally {
    await Promise.all([right.close(), wrong.close()])
  }
})

test('a connection shows new tokens again and again, also over an expiry of the credentials', async () => {
  metadata.credentials = credentialsEnding('OLD', 60_000)
  const seen: string[] = []
  const [first, subscription] = await iamCredentials(tokens(), 20).subscribe({
    onNext: ({ password }) => seen.push(password!),
    onError: () => {},
  })
  try {
    expect(checkIamToken(first.password!, 'elasticache', [metadata.credentials])).toBeDefined()
    metadata.credentials = credentialsEnding('NEW', 3_600_000)
    await eventually(
      'a token of the new credentials',
      () => checkIamToken(seen.at(-1) ?? '/?', 'elasticache', [metadata.credentials]) !== undefined,
    )
  } finally {
    subscription.dispose()
  }
})

test.each([
  ['a password beside', { username: 'u', password: 'p', tls: {} }, /aws_iam/],
  ['no username', { tls: {} }, /username/],
  ['no TLS', { username: 'u' }, /TLS only/],
])('redis.aws_iam with %s is refused', (_, more, message) => {
  const settings = { cluster: ['edge.cache.amazonaws.com'], aws_iam: { cache: 'edge' }, ...more }
  expect(redisSchema.safeParse(settings).error?.message).toMatch(message)
})

test.each([
  ['a password', 'postgres://gateway:p@host/gateway?sslmode=verify-full'],
  ['no user', 'postgres://host/gateway?sslmode=verify-full'],
  ['no proof of the server', 'postgres://gateway@host/gateway'],
])('postgres.aws_iam with %s in the url is refused', (_, url) => {
  expect(postgresSchema.safeParse({ url, aws_iam: {} }).error?.message).toMatch(/sslmode=verify-full/)
})
