import { Eip } from '@cdktf/provider-aws/lib/eip/index.js'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'

/** The static addresses that clients reach, one a zone. */
export interface ZoneAddresses {
  /** Availability zone → id of the allocation of its Elastic IP. */
  readonly allocationIds: Readonly<Record<string, string>>
  /** Availability zone → public IPv4 address. */
  readonly addresses: Readonly<Record<string, string>>
}

export interface VirtualIpProps {
  /** Begins the names of the addresses. */
  readonly name: string
  /** Availability zones, each of which gets an address. */
  readonly zones: readonly string[]
}

/**
 * An Elastic IP a zone: addresses that stay the same while what answers on them is replaced.
 * @throws ConstructError without a zone
 */
export class VirtualIp extends Construct implements ZoneAddresses {
  readonly allocationIds: Readonly<Record<string, string>>
  readonly addresses: Readonly<Record<string, string>>

  constructor(scope: Construct, id: string, { name, zones }: VirtualIpProps) {
    super(scope, id)
    checkProps(this, [[zones.length > 0, 'zones: expected at least one, got none']])
    const eips = zones.map(
      (zone) => [zone, new Eip(this, zone, { domain: 'vpc', tags: { Name: `${name}-${zone}` } })] as const,
    )
    this.allocationIds = Object.fromEntries(eips.map(([zone, eip]) => [zone, eip.allocationId]))
    this.addresses = Object.fromEntries(eips.map(([zone, eip]) => [zone, eip.publicIp]))
  }
}
