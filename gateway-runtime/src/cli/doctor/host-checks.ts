import { type Check, fail, pass, unseen, warn } from './check.ts'

const kernelVersion: Check = {
  id: 'kernel-version',
  title: 'kernel 5 or newer',
  run({ system }) {
    const release = system.read('/proc/sys/kernel/osrelease')?.trim()
    if (release === undefined) return unseen('the kernel does not tell its version')
    const isNew = Number.parseInt(release, 10) >= 5
    return isNew ? pass(release) : fail(release, 'upgrade the operating system to one with Linux 5 or newer')
  },
}

const aes: Check = {
  id: 'aes',
  title: 'AES in hardware',
  run({ system }) {
    const text = system.read('/proc/cpuinfo')
    if (text === undefined) return unseen('/proc/cpuinfo cannot be read')
    const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(text)?.[1]?.split(/\s+/) ?? []
    if (flags.includes('aes')) return pass('the CPU has AES instructions')
    const mend =
      'enable AES-NI in the firmware or the virtual machine; without it, TLS costs several times as much'
    return warn('the CPU shows no AES instructions', mend)
  },
}

const throttling: Check = {
  id: 'cpu-throttling',
  title: 'CPU not throttled',
  run({ system }) {
    const folder = '/sys/devices/system/cpu'
    const cores = system.list(folder).filter((name) => /^cpu\d+$/.test(name))
    const counts = cores.map((core) =>
      Number(system.read(`${folder}/${core}/thermal_throttle/core_throttle_count`) ?? 0),
    )
    const thermal = counts.reduce((sum, count) => sum + count, 0)
    const quota = Number(/^nr_throttled (\d+)$/m.exec(system.read('/sys/fs/cgroup/cpu.stat') ?? '')?.[1] ?? 0)
    if (thermal > 0)
      return warn(`${thermal} times too hot since boot`, 'see to cooling and power limits of the host')
    if (quota > 0)
      return warn(`stopped ${quota} times by its CPU quota`, 'raise the CPU limit of the container or unit')
    return pass('no thermal events, no quota met')
  },
}

const steal: Check = {
  id: 'cpu-steal',
  title: 'CPU not taken by other guests',
  run({ system }) {
    const [, ...times] = system.read('/proc/stat')?.split('\n')[0]?.trim().split(/\s+/).map(Number) ?? []
    const total = times.slice(0, 8).reduce((sum, time) => sum + time, 0)
    if (total === 0) return unseen('/proc/stat cannot be read')
    const percent = (100 * (times[7] ?? 0)) / total
    const text = `${percent.toFixed(1)} % of the time since boot`
    return percent > 5 ? warn(text, 'move to a host or instance type with CPUs of its own') : pass(text)
  },
}

const wanted: readonly (readonly [name: string, least: number, why: string])[] = [
  ['net.core.somaxconn', 4_096, 'connections are dropped in bursts'],
  ['net.ipv4.tcp_max_syn_backlog', 4_096, 'handshakes are dropped in bursts'],
  ['fs.file-max', 100_000, 'the host runs out of descriptors'],
]

const sysctl: Check = {
  id: 'sysctl',
  title: 'kernel settings',
  run: ({ system }) =>
    wanted.map(([name, least, why]) => {
      const value = system.read(`/proc/sys/${name.replaceAll('.', '/')}`)?.trim()
      if (value === undefined) return unseen(`${name} cannot be read`)
      if (Number(value) >= least) return pass(`${name} = ${value}`)
      const mend = `put "${name} = ${least}" into /etc/sysctl.d/90-gateway.conf and run sysctl --system`
      return warn(`${name} = ${value}: ${why}`, mend)
    }),
}

const descriptors: Check = {
  id: 'file-descriptors',
  title: 'file descriptors',
  run({ system }) {
    const pid = gatewayPid(system)
    const limits = system.read(`/proc/${pid ?? 'self'}/limits`)
    const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(limits ?? '') ?? []
    if (soft === undefined) return unseen('the limits of the gateway cannot be read')
    const text = `${soft} for ${pid === undefined ? 'this user' : `the gateway (PID ${pid})`}`
    if (soft === 'unlimited' || Number(soft) >= 65_536) return pass(text)
    return warn(
      text,
      'set LimitNOFILE=1048576 in the systemd unit: each connection takes one, and one to its service',
    )
  },
}

const libraries: Check = {
  id: 'libraries',
  title: 'libraries',
  run({ system }) {
    const pid = gatewayPid(system)
    const environment = system.read(`/proc/${pid ?? 'self'}/environ`)
    const crypto = `OpenSSL ${process.versions.openssl}, built in`
    if (environment === undefined)
      return unseen(`the environment of PID ${pid} cannot be read; run this as root`)
    const [, path] = /(?:^|\0)LD_LIBRARY_PATH=([^\0]*)/.exec(environment) ?? []
    if (!path) return pass(`${crypto}; no LD_LIBRARY_PATH`)
    return warn(
      `LD_LIBRARY_PATH=${path}: libraries from there come first`,
      'take it out of the environment of the unit',
    )
  },
}

const clock: Check = {
  id: 'clock',
  title: 'clock',
  async run({ system }) {
    const text = await system.run('timedatectl', 'show', '--property=NTPSynchronized', '--value')
    if (text === undefined)
      return unseen('timedatectl does not answer here: whether the clock is right is not known')
    if (text.trim() === 'yes') return pass('synchronized')
    return warn('not synchronized: tokens, certificates and logs go by it', 'run timedatectl set-ntp true')
  },
}

const service: Check = {
  id: 'service',
  title: 'gateway-service',
  async run({ system, status }) {
    const pid = gatewayPid(system)
    const running = status ? `answers${pid === undefined ? '' : `, PID ${pid}`}` : undefined
    const unit = (
      await system.run('systemctl', 'show', 'gateway-service', '--property=ActiveState', '--value')
    )?.trim()
    if (status?.draining) return warn('it is draining', 'restart it: systemctl restart gateway-service')
    if (status && !status.ready)
      return fail('it runs, but is not ready', 'see error.log, and gateway-cli status')
    if (status)
      return pass(unit === 'active' ? `${running}, by systemd` : `${running}, not as the systemd unit`)
    const mend = 'start it with systemctl start gateway-service, and see journalctl -u gateway-service'
    return fail(unit === undefined ? 'it does not answer' : `it does not answer; its unit is ${unit}`, mend)
  },
}

/** PID of the gateway that this user can see. */
export function gatewayPid(system: Parameters<Check['run']>[0]['system']): string | undefined {
  return system.list('/proc').find((name) => {
    if (!/^\d+$/.test(name)) return false
    const [program = '', script = ''] = system.read(`/proc/${name}/cmdline`)?.split('\0') ?? []
    return /(^|\/)gateway$/.test(program) || /(^|\/)gateway\.(mjs|ts)$/.test(script)
  })
}

/** The host, its kernel and the process. */
export const hostChecks: readonly Check[] = [
  kernelVersion,
  aes,
  throttling,
  steal,
  sysctl,
  descriptors,
  libraries,
  clock,
  service,
]
