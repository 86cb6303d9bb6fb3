import { readFileSync, rmSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { awaitBoot, containerOf, mountRoot, removeHost, startHost } from './host.ts'
import {
  allRecords,
  cacheDirectory,
  type HostRecord,
  isAlive,
  type LabRecord,
  labFolder,
  processRecord,
  readRecord,
  writeRecord,
} from './record.ts'
import { rootFileSystem } from './root-file-system.ts'
import { ip, run } from './run.ts'

export interface LabOptions {
  /** Tells labs apart: lower-case letters, digits and "-". */
  readonly name: string
  /** Hosts, called host-1, host-2 …: 1 to 32. */
  readonly hosts: number
  /** Whether it ends with this process. */
  readonly isOwned: boolean
}

/** This machine as hosts see it, and the first of them; the prefix is that of the network. */
const neighbourOctet = 1
const firstHostOctet = 11

/** Address of this machine in the network of a lab. */
export const neighbourOf = ({ subnet }: LabRecord) => `${subnet}.${neighbourOctet}`

/** The IPv6 address that stands beside an IPv4 one of a lab: 10.231.100.11 has fd00:231:100::11. */
export const ipv6Of = (address: string) => address.replace(/^10\.(\d+)\.(\d+)\.(\d+)$/, 'fd00:$1:$2::$3')

/** A private network that neither this machine nor another lab has, nor is among those that were `tried`. */
function freeSubnet(tried: readonly string[]): string {
  const taken = [
    ...tried,
    ...allRecords().map(({ subnet }) => subnet),
    ...Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
  ]
  for (let octet = 100; octet < 250; octet++) {
    const subnet = `10.231.${octet}`
    if (!taken.some((address) => address === subnet || address.startsWith(`${subnet}.`))) return subnet
  }
  throw new Error('all networks from 10.231.100.0/24 to 10.231.249.0/24 are taken')
}

/** What a lab will be; nothing of it is made yet. */
function plan({ name, hosts, isOwned }: LabOptions, tried: readonly string[]): LabRecord {
  const subnet = freeSubnet(tried)
  const folder = labFolder(name)
  const octet = subnet.split('.')[2]
  const owner = isOwned ? processRecord(process.pid) : undefined
  return {
    name,
    folder,
    subnet,
    namespace: `gatehouse-${octet}`,
    link: `ghlab${octet}`,
    ...(owner && { owner }),
    hosts: Array.from({ length: hosts }, (_, index) => ({
      name: `host-${index + 1}`,
      address: `${subnet}.${firstHostOctet + index}`,
      root: join(folder, `host-${index + 1}`, 'root'),
      namespace: `gatehouse-${octet}-${index + 1}`,
    })),
  }
}

/** Writes down what a lab will be, and takes its network: of labs that start at once, the kernel lets one have it. */
async function claim(options: LabOptions): Promise<LabRecord> {
  const tried: string[] = []
  for (;;) {
    const lab = plan(options, tried)
    writeRecord(lab)
    try {
      await ip(`netns add ${lab.namespace}`)
      return lab
    } catch (error) {
      if (!/File exists/.test((error as Error).message)) throw error
      tried.push(lab.subnet)
    }
  }
}

/** A bridge in the namespace of the lab, and a cable from this machine to it. */
async function makeBridge(lab: LabRecord): Promise<void> {
  await ip(`-n ${lab.namespace} link add bridge type bridge`)
  await ip(`-n ${lab.namespace} link set bridge up`)
  await ip(`link add ${lab.link} type veth peer name machine netns ${lab.namespace}`)
  await ip(`-n ${lab.namespace} link set machine master bridge up`)
  await ip(`addr add ${neighbourOf(lab)}/24 dev ${lab.link}`)
  await ip(`addr add ${ipv6Of(neighbourOf(lab))}/64 dev ${lab.link} nodad`)
  await ip(`link set ${lab.link} up`)
}

/** A namespace for a host, and a cable from it to the bridge. */
async function plugIn(
  { namespace: bridge }: LabRecord,
  { name, namespace, address }: HostRecord,
): Promise<void> {
  await ip(`netns add ${namespace}`)
  await ip(`-n ${bridge} link add ${name} type veth peer name eth0 netns ${namespace}`)
  await ip(`-n ${bridge} link set ${name} master bridge up`)
  await ip(`-n ${namespace} addr add ${address}/24 dev eth0`)
  await ip(`-n ${namespace} addr add ${ipv6Of(address)}/64 dev eth0 nodad`)
  await ip(`-n ${namespace} link set eth0 up`)
  await ip(`-n ${namespace} link set lo up`)
}

/** Path of the private key that root of every host lets in. */
export const keyFile = ({ folder }: LabRecord) => join(folder, 'id_ed25519')

/**
 * Makes a lab and boots its hosts; what fails is taken down again. What an earlier one of its name has left goes
 * first, and what processes have left that ended.
 * @throws Error when one of its name runs, or a step fails
 */
export async function startLab(options: LabOptions): Promise<LabRecord> {
  const earlier = readRecord(options.name)
  if (earlier?.hosts.some((host) => containerOf(host) !== undefined)) {
    throw new Error(
      `a lab is up already (${earlier.hosts.length} hosts); take it down with: npm run lab down`,
    )
  }
  for (const left of [...(earlier ? [earlier] : []), ...abandonedLabs()]) await removeLab(left)
  const shared = await rootFileSystem(cacheDirectory)
  const lab = await claim(options)
  try {
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'gatehouse-lab', '-f', keyFile(lab)])
    const authorizedKey = readFileSync(`${keyFile(lab)}.pub`, 'utf8')
    await makeBridge(lab)
    for (const host of lab.hosts) {
      await mountRoot(host, shared, authorizedKey)
      await plugIn(lab, host)
      await startHost(host)
    }
    await Promise.all(lab.hosts.map(awaitBoot))
    return lab
  } catch (error) {
    await removeLab(lab)
    throw error
  }
}

/** Takes a lab down, whatever of it there is, and deletes its folder. */
export async function removeLab(lab: LabRecord): Promise<void> {
  await Promise.all(lab.hosts.map(removeHost))
  await ip(`netns delete ${lab.namespace}`).catch(() => {}) // the cables go with it
  await ip(`link delete ${lab.link}`).catch(() => {})
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
  const mounted = lab.hosts.find(({ root }) => mounts.includes(` ${root} `))
  if (mounted) throw new Error(`${mounted.root} is still in use; end what uses it, then: npm run lab down`)
  rmSync(lab.folder, { recursive: true, force: true })
}

/** Labs whose process ended without taking them down. */
export const abandonedLabs = () => allRecords().filter(({ owner }) => owner && !isAlive(owner))
