import { isIP } from 'node:net'
import { compile } from '../../config/index.ts'
import { type Check, type Finding, fail, pass, type Surroundings, unseen, warn } from './check.ts'
import type { System } from './system.ts'

/** Ports that the configuration has, and what for. */
function portsOf({ loaded }: Surroundings): (readonly [port: number, what: string])[] {
  if (!loaded) return []
  const { listeners, admin, status } = loaded.configuration
  return [
    ...listeners.map(({ port, protocol }) => [port, `listener (${protocol})`] as const),
    [admin.port, 'admin.port'] as const,
    ...(admin.tls_port === undefined ? [] : [[admin.tls_port, 'admin.tls_port'] as const]),
    [status.port, 'status.port'] as const,
  ]
}

const ports: Check = {
  id: 'ports',
  title: 'ports',
  run(surroundings) {
    const { system, status } = surroundings
    const holders = listening(system)
    return portsOf(surroundings).map(([port, what]): Finding => {
      const inodes = holders.get(port)
      if (!inodes) {
        if (!status) return pass(`${port} is free for ${what}`)
        return fail(`nothing listens on ${port} (${what})`, 'restart the gateway: ports change only then')
      }
      const owner = processOf(system, inodes)
      const text = `${port} (${what}) is held by ${owner ?? 'a process that this user may not see'}`
      const isOurs = status !== undefined && (owner === undefined || /gateway|node/.test(owner))
      return isOurs ? pass(text) : fail(text, `stop that program, or set another port for ${what}`)
    })
  },
}

/** Port → inodes of the sockets that listen on it. */
function listening(system: Surroundings['system']): Map<number, Set<string>> {
  const found = new Map<number, Set<string>>()
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of system.read(file)?.split('\n').slice(1) ?? []) {
      const fields = line.trim().split(/\s+/)
      if (fields[3] !== '0A') continue
      const port = Number.parseInt(fields[1]!.split(':')[1]!, 16)
      found.set(port, (found.get(port) ?? new Set()).add(fields[9]!))
    }
  }
  return found
}

function processOf(system: Surroundings['system'], inodes: ReadonlySet<string>): string | undefined {
  const pid = system
    .list('/proc')
    .filter((name) => /^\d+$/.test(name))
    .find((pid) =>
      system.list(`/proc/${pid}/fd`).some((descriptor) => {
        const [, inode] = /^socket:\[(\d+)\]$/.exec(system.link(`/proc/${pid}/fd/${descriptor}`) ?? '') ?? []
        return inode !== undefined && inodes.has(inode)
      }),
    )
  if (pid === undefined) return undefined
  const command = system.read(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ').trim()
  return `${command || system.read(`/proc/${pid}/comm`)?.trim()} (PID ${pid})`
}

const firewall: Check = {
  id: 'firewall',
  title: 'iptables',
  async run(surroundings) {
    const rules = await surroundings.system.run('iptables', '-S', 'INPUT')
    if (rules === undefined) return unseen('iptables cannot be asked; run this as root, where it is used')
    const isClosed = /^-P INPUT (DROP|REJECT)$/m.test(rules) || /^-A INPUT( -j (DROP|REJECT).*)$/m.test(rules)
    if (!isClosed) return pass('what no rule is for is let in')
    const lines = rules.split('\n').filter((line) => line.includes('-j ACCEPT'))
    const listeners = portsOf(surroundings).filter(([, what]) => what.startsWith('listener'))
    return listeners.map(([port]) => {
      const isOpen = lines.some((line) => opens(line, port))
      const mend = `iptables -I INPUT -p tcp --dport ${port} -j ACCEPT`
      return isOpen ? pass(`${port} is let in`) : fail(`no rule lets ${port} in`, mend)
    })
  },
}

function opens(rule: string, port: number): boolean {
  const [, list] = /--dports? (\S+)/.exec(rule) ?? []
  if (list === undefined) return !/-i lo|--ctstate|--state|-p icmp/.test(rule)
  return list.split(',').some((item) => {
    const [from, to = from] = item.split(':').map(Number)
    return port >= from! && port <= to!
  })
}

const isUplink = (name: string) => name !== 'lo' && !/^(ifb|docker|veth|br-|virbr|dummy)/.test(name)

const mtu: Check = {
  id: 'mtu',
  title: 'MTU',
  async run({ system, loaded }) {
    const sizes = system
      .list('/sys/class/net')
      .map((name) => [name, Number(system.read(`/sys/class/net/${name}/mtu`))] as const)
    const uplinks = sizes.filter(([name]) => isUplink(name))
    const smallest = Math.min(...uplinks.map(([, size]) => size))
    const findings = sizes
      .filter(([name, size]) => /^(docker|br-|veth)/.test(name) && size > smallest)
      .map(([name, size]) =>
        warn(`${name} has ${size}, the uplink ${smallest}`, `ip link set ${name} mtu ${smallest}`),
      )
    findings.push(...(await narrowPaths(system, loaded)))
    const numbers = snmp(system.read('/proc/net/snmp') ?? '', 'Ip')
    if ((numbers.FragFails ?? 0) > 0) {
      const mend = 'let ICMP "fragmentation needed" through, or lower the MTU: ip link set DEVICE mtu 1400'
      findings.push(warn(`${numbers.FragFails} packets were too large for their path`, mend))
    }
    if (findings.length > 0) return findings
    return pass(uplinks.map(([name, size]) => `${name} ${size}`).join(', ') || 'no network interface')
  },
}

const mostPaths = 64

/** Targets to which routers on the way let only smaller packets through: the kernel has learned it (RFC 1191). */
async function narrowPaths(
  system: System,
  loaded: Surroundings['loaded'],
): Promise<readonly ReturnType<typeof warn>[]> {
  const upstreams = loaded ? compile(loaded.configuration).upstreams : []
  const hosts = new Set(upstreams.flatMap(({ targets }) => targets.map(({ host }) => host)))
  const addresses = [...hosts].filter((host) => isIP(host) !== 0).slice(0, mostPaths)
  const routes = await Promise.all(
    addresses.map((address) => system.run('ip', '-o', 'route', 'get', address)),
  )
  return routes.flatMap((text, index) => {
    const [, device] = / dev (\S+)/.exec(text ?? '') ?? []
    const [, learned] = / mtu (\d+)/.exec(text ?? '') ?? []
    const own = Number(device && system.read(`/sys/class/net/${device}/mtu`))
    if (learned === undefined || !(Number(learned) < own)) return []
    const mend = `ip link set ${device} mtu ${learned}, or give the path the ${own} bytes that ${device} has`
    return [warn(`the path to ${addresses[index]} takes ${learned} bytes, ${device} sends ${own}`, mend)]
  })
}

const networkErrors: Check = {
  id: 'network-errors',
  title: 'network interfaces',
  run: ({ system }) =>
    system
      .list('/sys/class/net')
      .filter(isUplink)
      .map((name) => {
        const count = (counter: string) =>
          Number(system.read(`/sys/class/net/${name}/statistics/${counter}`) ?? 0)
        const bad = ['rx_errors', 'tx_errors', 'rx_dropped', 'tx_dropped'].map(
          (key) => [key, count(key)] as const,
        )
        const packets = count('rx_packets') + count('tx_packets')
        const sum = bad.reduce((total, [, value]) => total + value, 0)
        const text = bad.filter(([, value]) => value > 0).map(([key, value]) => `${key} ${value}`)
        if (sum <= packets / 10_000)
          return pass(`${name}: ${text.join(', ') || 'no errors'} in ${packets} packets`)
        const mend = `check cable, port and driver (ethtool -S ${name}); for drops, raise its ring: ethtool -G ${name} rx 4096`
        return warn(`${name}: ${text.join(', ')} in ${packets} packets`, mend)
      }),
}

const retransmissions: Check = {
  id: 'retransmissions',
  title: 'TCP retransmissions',
  run({ system }) {
    const { RetransSegs = 0, OutSegs = 0 } = snmp(system.read('/proc/net/snmp') ?? '', 'Tcp')
    if (OutSegs === 0) return unseen('/proc/net/snmp cannot be read')
    const percent = (100 * RetransSegs) / OutSegs
    const text = `${percent.toFixed(2)} % of segments since boot`
    const mend = 'packets are lost on the way: see the network interfaces, and the path with mtr'
    return percent > 2 ? warn(text, mend) : pass(text)
  },
}

/** Two lines a protocol: names, values. */
function snmp(text: string, protocol: string): Readonly<Record<string, number>> {
  const [names = [], values = []] = text
    .split('\n')
    .filter((line) => line.startsWith(`${protocol}: `))
    .map((line) => line.split(' ').slice(1))
  return Object.fromEntries(names.map((name, index) => [name, Number(values[index])]))
}

/** Ports, firewall, links and TCP. */
export const networkChecks: readonly Check[] = [ports, firewall, mtu, networkErrors, retransmissions]
