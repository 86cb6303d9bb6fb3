import { pathToFileURL } from 'node:url'
import { acmeSchema } from '../../gateway-runtime/src/config/acme-settings.ts'
import { redisSchema } from '../../gateway-runtime/src/config/redis-settings.ts'
import type { Clock } from '../../gateway-runtime/src/control-plane/certificates/clock.ts'
import { systemClock } from '../../gateway-runtime/src/control-plane/certificates/clock.ts'
import { OrderedCertificates } from '../../gateway-runtime/src/control-plane/certificates/ordered-certificates.ts'
import { CertificateRepository } from '../../gateway-runtime/src/control-plane/certificates/store/certificate-repository.ts'
import { AesGcmSeal } from '../../gateway-runtime/src/control-plane/certificates/store/entry-seal.ts'
import { LocalCopy } from '../../gateway-runtime/src/control-plane/certificates/store/local-copy.ts'
import { RedisEntries } from '../../gateway-runtime/src/control-plane/certificates/store/redis-entries.ts'
import { RedisConnection } from '../../gateway-runtime/src/control-plane/redis/redis-connection.ts'
import type { Challenges, ServerCertificate } from '../../gateway-runtime/src/worker-messages.ts'

/** All that a node is told, as JSON. */
export interface CertificateNodeSettings {
  readonly redis: readonly string[]
  readonly prefix: string
  readonly directory: string
  readonly ca: string
  readonly domains: readonly string[]
  /** Folder of its copy. */
  readonly folder: string
  /** Milliseconds. */
  readonly leaseTime: number
}

export interface CertificateNode {
  readonly certificates: OrderedCertificates
  readonly repository: CertificateRepository
  readonly shown: readonly ServerCertificate[]
  readonly challenges: Challenges
  readonly lines: readonly string[]
  order(domains: readonly string[]): Promise<void>
  stop(): Promise<void>
}

/** 32 bytes for all nodes of the tests. */
export const testKey = Buffer.alloc(32, 7)

/** One node's part in ordering certificates, over Redis, without the rest of a gateway. */
export async function startCertificateNode(
  given: CertificateNodeSettings,
  clock: Clock = systemClock,
): Promise<CertificateNode> {
  const lines: string[] = []
  const log = {
    write: (...line: unknown[]) => {
      lines.push(JSON.stringify(line))
      if (process.env.SHOW_LINES) process.stderr.write(`${JSON.stringify(line)}\n`)
    },
  }
  const settings = redisSchema.parse({ cluster: given.redis, prefix: given.prefix, timeout: 2_000 })
  const redis = new RedisConnection(settings, undefined, log)
  await redis.start()
  const repository = new CertificateRepository(
    new RedisEntries(redis, given.leaseTime),
    new AesGcmSeal([testKey]),
    new LocalCopy(given.folder),
  )
  let shown: readonly ServerCertificate[] = []
  let challenges: Challenges = { http: new Map(), tls: new Map() }
  const certificates = new OrderedCertificates({
    repository,
    clock,
    log,
    random: () => 0,
    lookEvery: 200,
    users: {
      show: (all) => {
        shown = all
      },
      answerChallenges: async (all) => {
        challenges = all
      },
    },
  })
  const acme = acmeSchema.parse({
    authorities: [{ directory: given.directory, ca: given.ca }],
    terms_of_service_agreed: true,
  })
  await certificates.apply(acme, given.domains)
  return {
    certificates,
    repository,
    lines,
    get shown() {
      return shown
    },
    get challenges() {
      return challenges
    },
    order: (domains) => certificates.apply(acme, domains),
    stop: async () => {
      await certificates.close()
      await redis.close()
    },
  }
}

// As a process of its own: the settings are its argument.
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await startCertificateNode(JSON.parse(process.argv[2]!) as CertificateNodeSettings)
