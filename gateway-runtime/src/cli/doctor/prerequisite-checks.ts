import { type Check, pass, unseen, warn } from './check.ts'
import { gatewayPid } from './host-checks.ts'

/** CAP_NET_BIND_SERVICE of capabilities(7). */
const bindCapability = 10n

const privileges: Check = {
  id: 'privileges',
  title: 'permissions',
  run({ system, loaded }) {
    const first = Number(system.read('/proc/sys/net/ipv4/ip_unprivileged_port_start') ?? 1_024)
    const low = (loaded?.configuration.listeners ?? []).map(({ port }) => port).filter((port) => port < first)
    if (low.length === 0) return pass(`no listener is below port ${first}`)
    const pid = gatewayPid(system)
    const status = system.read(`/proc/${pid ?? 'self'}/status`)
    const [, effective] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status ?? '') ?? []
    if (effective === undefined) return unseen('the capabilities of the gateway cannot be read')
    const who = pid === undefined ? 'this user' : `the gateway (PID ${pid})`
    if ((BigInt(`0x${effective}`) >> bindCapability) & 1n)
      return pass(`${who} may listen on ${low.join(', ')}`)
    const mend =
      'set AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or listen on 8080 and 8443'
    return warn(`${who} may not listen on ${low.join(', ')}`, mend)
  },
}

/** Of hosts that run the gateway in containers. */
const orchestration = ['containerd', 'kubectl'] as const

const programs: Check = {
  id: 'programs',
  title: 'programs',
  async run({ system }) {
    const versions = await Promise.all([
      system.run('openssl', 'version'),
      system.run('containerd', '--version'),
      system.run('kubectl', 'version', '--client'),
    ])
    const [openssl, ...others] = versions.map((text) => text?.trim().split('\n')[0])
    const missing = orchestration.filter((_, index) => others[index] === undefined)
    const note = `not here, and needed only for containers: ${missing.join(', ')}`
    return [
      openssl === undefined
        ? warn(
            'openssl is not installed: keys and requests for certificates are made with it',
            'apt-get install openssl',
          )
        : pass(openssl),
      ...others.flatMap((version) => (version === undefined ? [] : [pass(version)])),
      ...(missing.length > 0 ? [pass(note)] : []),
    ]
  },
}

/** What a host must have before a gateway is installed on it. */
export const prerequisiteChecks: readonly Check[] = [privileges, programs]
