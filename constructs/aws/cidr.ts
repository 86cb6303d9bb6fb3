/** An IPv4 network: the address of its first host bit as an unsigned number, and the length of its prefix. */
interface Network {
  readonly first: number
  readonly prefix: number
}

export type Tier = 'public' | 'private' | 'data'

/** Zones of a region are told by one letter; as many places are kept in every network. */
const zoneLetters = 'abcdefgh'
const slotBits = 3
/** Where a tier stands in the part of its zone: half of it is private, a quarter each public and data. */
const tiers: Readonly<Record<Tier, { bits: number; index: number }>> = {
  private: { bits: 1, index: 0 },
  public: { bits: 2, index: 2 },
  data: { bits: 2, index: 3 },
}

/**
 * Reads an IPv4 network.
 * @throws Error when it is none, or has bits set past its prefix
 */
export function parseNetwork(cidr: string): Network {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr)
  const [a = 256, b = 256, c = 256, d = 256, prefix = 33] = match?.slice(1).map(Number) ?? []
  const first = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d
  if (Math.max(a, b, c, d) > 255 || prefix > 32) {
    throw new Error(`expected an IPv4 network such as 10.20.0.0/16, got ${JSON.stringify(cidr)}`)
  }
  if (first % 2 ** (32 - prefix) !== 0) {
    throw new Error(
      `expected no bits past the prefix, got ${cidr}: did you mean ${format({ first: first - (first % 2 ** (32 - prefix)), prefix })}?`,
    )
  }
  return { first, prefix }
}

const format = ({ first, prefix }: Network) =>
  `${[24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join('.')}/${prefix}`

const part = ({ first, prefix }: Network, bits: number, index: number): Network => ({
  first: first + index * 2 ** (32 - prefix - bits),
  prefix: prefix + bits,
})

/**
 * Reads the network of a VPC.
 * @throws Error when it is none, or larger than /16 or smaller than /23
 */
export function parseVpcNetwork(cidr: string): Network {
  const network = parseNetwork(cidr)
  if (network.prefix < 16 || network.prefix > 23) {
    throw new Error(`expected a network from /16 to /23, got ${cidr}`)
  }
  return network
}

/**
 * The network of one subnet. It follows from the letter of its zone and its tier alone, so that adding or reordering
 * zones moves no subnet.
 * @param cidr network of the VPC, /16 to /23
 * @param zone availability zone such as eu-central-1a
 * @throws Error naming the value that cannot be used
 */
export function subnetCidr(cidr: string, zone: string, tier: Tier): string {
  const network = parseVpcNetwork(cidr)
  const slot = isZone(zone) ? zoneLetters.indexOf(zone.at(-1)!) : -1
  if (slot < 0) {
    throw new Error(`expected an availability zone such as eu-central-1a, got ${JSON.stringify(zone)}`)
  }
  const { bits, index } = tiers[tier]
  return format(part(part(network, slotBits, slot), bits, index))
}

/** Whether a text is the name of an availability zone (no local or wavelength zone). */
export const isZone = (text: string) => /^[a-z]{2}(-[a-z]+)+-\d[a-h]$/.test(text)

/** Which of the /64 networks of the VPC's IPv6 /56 a subnet gets; follows from zone and tier, as its IPv4 network does. */
export const ipv6SubnetIndex = (zone: string, tier: Tier): number =>
  zoneLetters.indexOf(zone.at(-1)!) * 4 + ['public', 'private', 'data'].indexOf(tier)

/** Addresses of a network that instances can have: AWS keeps five of every subnet (VPC User Guide, "Subnet sizing"). */
export const usableAddresses = (cidr: string): number => 2 ** (32 - parseNetwork(cidr).prefix) - 5

/** Whether two IPv4 networks share an address. */
export function overlaps(a: string, b: string): boolean {
  const [first, second] = [parseNetwork(a), parseNetwork(b)]
  const size = 2 ** (32 - Math.min(first.prefix, second.prefix))
  return Math.floor(first.first / size) === Math.floor(second.first / size)
}
