import { join } from 'node:path'
import type { Configuration } from '../../config/index.ts'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import type { Redis } from '../redis/redis.ts'
import { CertificateAdministration } from './certificate-administration.ts'
import { systemClock } from './clock.ts'
import { certificateFolder } from './needs-certificates.ts'
import { OrderedCertificates } from './ordered-certificates.ts'
import type { CertificateUsers } from './shown-certificates.ts'
import { CertificateRepository } from './store/certificate-repository.ts'
import type { EntryStore } from './store/entry-store.ts'
import { FileEntries } from './store/file-entries.ts'
import { LocalCopy } from './store/local-copy.ts'
import { openSeal } from './store/open-seal.ts'
import { TicketKeySchedule } from './ticket-key-schedule.ts'

type StoreSettings = Pick<Configuration, 'certificate_store' | 'postgres'>

export interface CertificatesOptions extends StoreSettings {
  /** The node's folder for what it keeps for itself. */
  readonly state: string
  readonly redis: Redis | undefined
  readonly log: Pick<ErrorLog, 'write'>
  readonly users: CertificateUsers & { useTicketKeys(keys: Uint8Array): void }
  /** DNS servers that are asked, as set at the moment; none: those of the system. */
  readonly dnsServers: () => readonly string[]
  /** Milliseconds that session ticket keys are used for, as set at the moment. */
  readonly ticketRotation: () => number
}

const remoteLook = 500
const localLook = 5_000

export interface NodeCertificates {
  readonly certificates: OrderedCertificates
  readonly administration: CertificateAdministration
}

/** What keeps, orders and shows certificates, by the settings of the store. Throws where a folder cannot be made. */
export async function openCertificates(options: CertificatesOptions): Promise<NodeCertificates> {
  const { certificate_store: settings, log, state, users } = options
  const isShared = settings.kind !== 'file'
  const store = await openStore(options)
  const copy = isShared ? new LocalCopy(join(state, 'certificates-copy')) : undefined
  const repository = new CertificateRepository(store, await openSeal(settings), copy)
  const certificates = new OrderedCertificates({
    repository,
    users,
    log,
    clock: systemClock,
    random: Math.random,
    lookEvery: isShared ? remoteLook : localLook,
    dns: async ({ dns }) => {
      if (!dns) return undefined
      const { openDnsSolver } = await import('./dns/open-dns-solver.ts')
      const { preflightResolver } = await import('./preflight/preflight.ts')
      return openDnsSolver(dns, systemClock, preflightResolver(options.dnsServers()))
    },
    preflight: async (acme, domain, authority) => {
      if (!acme.preflight) return undefined
      const { preflight, preflightResolver } = await import('./preflight/preflight.ts')
      const question = { domain, challenge: acme.challenge, identities: await authority.caaIdentities() }
      return preflight(question, preflightResolver(options.dnsServers()))
    },
    ...(isShared && {
      ticketKeys: new TicketKeySchedule(systemClock, options.ticketRotation, (fresh) =>
        users.useTicketKeys(fresh),
      ),
    }),
  })
  return { certificates, administration: new CertificateAdministration(certificates, repository) }
}

async function openStore({
  certificate_store: settings,
  postgres,
  redis,
  state,
}: CertificatesOptions): Promise<EntryStore> {
  switch (settings.kind) {
    case 'file':
      return new FileEntries(certificateFolder(state))
    case 'redis':
      return new (await import('./store/redis-entries.ts')).RedisEntries(redis!)
    case 'postgres':
      return new (await import('./store/postgres-entries.ts')).PostgresEntries(postgres!)
    case 'secrets-manager': {
      const { RedisEntries } = await import('./store/redis-entries.ts')
      const { SecretsManagerEntries } = await import('./store/secrets-manager-entries.ts')
      return new SecretsManagerEntries(settings, new RedisEntries(redis!))
    }
  }
}
