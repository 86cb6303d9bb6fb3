import type { Construct } from 'constructs'
import { ConstructError } from '../errors.ts'
import { hasInstanceStore } from './instance-type.ts'

export interface Gp3Options {
  /**
   * Size in GiB, 10 to 16384.
   * @default 50
   */
  readonly size?: number
  /**
   * Input and output operations a second, 5000 to 16000, and at most 500 for each GiB.
   * @default 5000
   */
  readonly iops?: number
  /**
   * MiB a second, 125 to 1000.
   * @default 250
   */
  readonly throughput?: number
}

/** A device of a launch template. */
export interface LogDevice {
  readonly deviceName: string
  readonly ebs: { readonly volumeSize: number; readonly iops: number; readonly throughput: number }
}

/**
 * Where a node writes its logs before they are shipped. Disks of the instance itself (NVMe) are the fastest and cost
 * nothing, but end with the instance, as its logs may; a gp3 volume serves types that have none. Either way the node
 * takes the first blank NVMe disk.
 *
 * @example
 * const zones = ['eu-central-1a']
 * const network = new GatewayNetwork(stack, 'network', { name: 'edge', cidr: '10.20.0.0/16', zones })
 * new NodeFleet(stack, 'fleet', {
 *   name: 'edge',
 *   network,
 *   targetGroupArns: [],
 *   host: { configuration: { 'config.yaml': 'workers: auto' } },
 *   instanceTypes: ['c7i.xlarge'],
 *   logVolume: LogVolume.gp3({ size: 100, iops: 6000 }),
 * })
 */
export class LogVolume {
  readonly #gp3: Required<Gp3Options> | undefined

  private constructor(gp3?: Required<Gp3Options>) {
    this.#gp3 = gp3
  }

  /** The NVMe disk of the instance; every type of the fleet must have one. */
  static instanceStore(): LogVolume {
    return new LogVolume()
  }

  /** A volume of its own, encrypted with the key of the fleet, deleted with its instance. */
  static gp3({ size = 50, iops = 5000, throughput = 250 }: Gp3Options = {}): LogVolume {
    return new LogVolume({ size, iops, throughput })
  }

  /** The disks of the instances where all types have them, else a gp3 volume. */
  static for(instanceTypes: readonly string[], options: Gp3Options = {}): LogVolume {
    return instanceTypes.every(hasInstanceStore) ? LogVolume.instanceStore() : LogVolume.gp3(options)
  }

  /** Whether it outlives a stop of the instance. */
  get survivesStop(): boolean {
    return this.#gp3 !== undefined
  }

  /**
   * The devices that a launch template needs for it.
   * @throws ConstructError when a type has no disk, or a value is out of range
   */
  devices(scope: Construct, instanceTypes: readonly string[]): LogDevice[] {
    const problems = this.#gp3 ? gp3Problems(this.#gp3) : instanceStoreProblems(instanceTypes)
    if (problems.length > 0) throw new ConstructError(scope, problems)
    if (!this.#gp3) return []
    const { size, iops, throughput } = this.#gp3
    return [{ deviceName: '/dev/sdf', ebs: { volumeSize: size, iops, throughput } }]
  }
}

const instanceStoreProblems = (instanceTypes: readonly string[]) =>
  instanceTypes
    .filter((type) => !hasInstanceStore(type))
    .map(
      (type) =>
        `logVolume: ${type} has no NVMe disk of its own; choose a type with one, such as c7gd.xlarge, or LogVolume.gp3()`,
    )

function gp3Problems({ size, iops, throughput }: Required<Gp3Options>): string[] {
  const problems: string[] = []
  const within = (key: string, value: number, min: number, max: number) => {
    if (!Number.isInteger(value) || value < min || value > max) {
      problems.push(`logVolume.${key}: expected ${min} to ${max}, got ${value}`)
    }
  }
  within('size', size, 10, 16_384)
  within('iops', iops, 5000, Math.min(16_000, Math.max(5000, size * 500)))
  within('throughput', throughput, 125, 1000)
  return problems
}
