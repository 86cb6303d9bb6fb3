import { join } from 'node:path'
import { acmeSchema } from '../../gateway-runtime/src/config/acme-settings.ts'
import { type Clock, systemClock } from '../../gateway-runtime/src/control-plane/certificates/clock.ts'
import type { AliasResolver } from '../../gateway-runtime/src/control-plane/certificates/dns/challenge-record.ts'
import { openDnsSolver } from '../../gateway-runtime/src/control-plane/certificates/dns/open-dns-solver.ts'
import { OrderedCertificates } from '../../gateway-runtime/src/control-plane/certificates/ordered-certificates.ts'
import { CertificateRepository } from '../../gateway-runtime/src/control-plane/certificates/store/certificate-repository.ts'
import { noSeal } from '../../gateway-runtime/src/control-plane/certificates/store/entry-seal.ts'
import type { EntryStore } from '../../gateway-runtime/src/control-plane/certificates/store/entry-store.ts'
import { FileEntries } from '../../gateway-runtime/src/control-plane/certificates/store/file-entries.ts'
import type { Challenges, ServerCertificate } from '../../gateway-runtime/src/worker-messages.ts'

export interface SingleNodeOptions {
  readonly onChallenges?: (all: Challenges) => void
  /** Asked for CNAME records; there are none. */
  readonly resolver?: AliasResolver
  readonly clock?: Clock
  /** Of the entries, from that of the files. */
  readonly storeOf?: (files: EntryStore) => EntryStore
}

const noAliases: AliasResolver = { resolveCname: async () => [] }

/** One node with a store of files, whose challenges the test answers. */
export function startSingleNode(
  folder: string,
  settings: object,
  {
    onChallenges = () => {},
    resolver = noAliases,
    clock = systemClock,
    storeOf = (files) => files,
  }: SingleNodeOptions = {},
) {
  let shown: readonly ServerCertificate[] = []
  const lines: string[] = []
  const repository = new CertificateRepository(
    storeOf(new FileEntries(join(folder, 'certificates'))),
    noSeal,
    undefined,
  )
  const certificates = new OrderedCertificates({
    repository,
    clock,
    random: () => 0,
    lookEvery: 5_000,
    log: { write: (...line) => void lines.push(JSON.stringify(line)) },
    dns: async ({ dns }) => dns && openDnsSolver(dns, clock, resolver),
    users: {
      show: (all) => {
        shown = all
      },
      answerChallenges: async (all) => onChallenges(all),
    },
  })
  const acme = acmeSchema.parse({ terms_of_service_agreed: true, ...settings })
  return {
    certificates,
    repository,
    lines,
    acme,
    shown: () => shown,
    /** The certificate that clients are shown who ask for this host. */
    shownFor: (host: string) =>
      (
        shown.find(({ hosts }) => hosts.includes(host)) ??
        shown.find(({ hosts }) => hosts.includes(host.replace(/^[^.]*/, '*')))
      )?.certificate,
    /** Orders what is missing; resolves when that is done, with what went wrong. */
    async order(domains: readonly string[]): Promise<readonly (string | undefined)[]> {
      await certificates.apply(acme, domains)
      await certificates.settled()
      return certificates.states.map(({ lastError }) => lastError)
    },
  }
}
