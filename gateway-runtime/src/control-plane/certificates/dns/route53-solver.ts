import {
  ChangeResourceRecordSetsCommand,
  GetChangeCommand,
  ListResourceRecordSetsCommand,
  Route53Client,
} from '@aws-sdk/client-route-53'
import type { DnsProviderSettings } from '../../../config/acme-settings.ts'
import type { ChallengeSolver } from '../acme/challenge-solver.ts'
import type { Clock } from '../clock.ts'
import { type AliasResolver, challengeRecord } from './challenge-record.ts'

type Settings = Extract<DnsProviderSettings, { provider: 'route53' }>

const ttl = 60
const askEvery = 2_000
const mostQuestions = 60

/** dns-01 by Amazon Route 53. Needs route53:ChangeResourceRecordSets, ListResourceRecordSets and GetChange. */
export class Route53Solver implements ChallengeSolver {
  readonly type = 'dns-01'
  readonly #client: Route53Client
  readonly #zone: string
  readonly #clock: Clock
  readonly #resolver: AliasResolver
  #changes: Promise<unknown> = Promise.resolve()

  constructor({ hosted_zone_id: zone, region, endpoint }: Settings, clock: Clock, resolver: AliasResolver) {
    this.#client = new Route53Client({ region, maxAttempts: 5, ...(endpoint !== undefined && { endpoint }) })
    this.#zone = zone
    this.#clock = clock
    this.#resolver = resolver
  }

  async present(domain: string, _token: string, keyAuthorization: string): Promise<() => Promise<void>> {
    const { name, text } = await challengeRecord(domain, keyAuthorization, this.#resolver)
    const id = await this.#inTurn(() => this.#change(name, (texts) => texts.add(text)))
    if (id !== undefined) await this.#inSync(id)
    return async () => {
      await this.#inTurn(() => this.#change(name, (texts) => texts.delete(text))).catch(() => {}) // proves nothing
    }
  }

  /** A set of records is replaced as a whole: `example.com` and `*.example.com` have the same one. */
  async #change(name: string, edit: (texts: Set<string>) => unknown): Promise<string | undefined> {
    const before = await this.#texts(name)
    const after = new Set(before)
    edit(after)
    if (after.size === before.size) return undefined
    const change = after.size > 0 ? { Action: 'UPSERT', texts: after } : { Action: 'DELETE', texts: before }
    const ResourceRecords = [...change.texts].map((text) => ({ Value: JSON.stringify(text) }))
    const { ChangeInfo } = await this.#client.send(
      new ChangeResourceRecordSetsCommand({
        HostedZoneId: this.#zone,
        ChangeBatch: {
          Changes: [
            {
              Action: change.Action as 'UPSERT' | 'DELETE',
              ResourceRecordSet: { Name: name, Type: 'TXT', TTL: ttl, ResourceRecords },
            },
          ],
        },
      }),
    )
    return ChangeInfo?.Id
  }

  async #texts(name: string): Promise<ReadonlySet<string>> {
    const { ResourceRecordSets = [] } = await this.#client.send(
      new ListResourceRecordSetsCommand({
        HostedZoneId: this.#zone,
        StartRecordName: name,
        StartRecordType: 'TXT',
        MaxItems: 1,
      }),
    )
    const [found] = ResourceRecordSets
    if (found?.Type !== 'TXT' || found.Name?.replace(/\.$/, '') !== name) return new Set()
    return new Set((found.ResourceRecords ?? []).map(({ Value = '""' }) => Value.replace(/^"|"$/g, '')))
  }

  /** Resolves when all servers of the zone have a change. */
  async #inSync(Id: string): Promise<void> {
    for (let question = 0; question < mostQuestions; question++) {
      const { ChangeInfo } = await this.#client.send(new GetChangeCommand({ Id }))
      if (ChangeInfo?.Status === 'INSYNC') return
      await new Promise<void>((resolve) => void this.#clock.wakeAfter(askEvery, resolve))
    }
    throw new Error('Route 53 did not pass the record on to its servers in time')
  }

  #inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const done = this.#changes.catch(() => {}).then(act)
    this.#changes = done
    return done
  }
}
