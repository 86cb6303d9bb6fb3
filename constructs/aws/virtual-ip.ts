import { Eip } from '@cdktf/provider-aws/lib/eip/index.js'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import { accept } from './findings.ts'

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
  /**
   * Whether Terraform refuses to destroy an address.
   * @default true
   */
  readonly keep?: boolean
}

/**
 * An Elastic IP a zone: addresses that stay the same while what answers on them is replaced. Terraform refuses to
 * destroy one, since partners have it in their firewalls; `terraform state rm` lets go of one that is no longer needed.
 *
 * @example
 * const virtualIp = new VirtualIp(stack, 'virtual-ip', { name: 'edge', zones: ['eu-central-1a', 'eu-central-1b'] })
 * new TerraformOutput(stack, 'addresses', { value: virtualIp.addresses })
 * @throws ConstructError without a zone
 */
export class VirtualIp extends Construct implements ZoneAddresses {
  readonly allocationIds: Readonly<Record<string, string>>
  readonly addresses: Readonly<Record<string, string>>

  constructor(scope: Construct, id: string, { name, zones, keep = true }: VirtualIpProps) {
    super(scope, id)
    checkProps(this, [[zones.length > 0, 'zones: expected at least one, got none']])
    const eips = [...zones].sort().map((zone) => {
      const eip = new Eip(this, zone, {
        domain: 'vpc',
        tags: { Name: `${name}-${zone}` },
        lifecycle: { preventDestroy: keep },
      })
      accept(eip, 'balanced-address', 'a load balancer holds it, not an instance')
      return [zone, eip] as const
    })
    this.allocationIds = Object.fromEntries(eips.map(([zone, eip]) => [zone, eip.allocationId]))
    this.addresses = Object.fromEntries(eips.map(([zone, eip]) => [zone, eip.publicIp]))
  }
}
