import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { judge } from '../../../../gateway-runtime/src/cli/doctor/balance-check.ts'
import type { Finding, Surroundings } from '../../../../gateway-runtime/src/cli/doctor/check.ts'
import { hostChecks } from '../../../../gateway-runtime/src/cli/doctor/host-checks.ts'
import { networkChecks } from '../../../../gateway-runtime/src/cli/doctor/network-checks.ts'
import { prerequisiteChecks } from '../../../../gateway-runtime/src/cli/doctor/prerequisite-checks.ts'
import { systemAt } from '../../../../gateway-runtime/src/cli/doctor/system.ts'
import { newAuthority } from '../../../support/certificates.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { freePort } from '../../../support/ports.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import { startUpstream, type Upstream } from '../../../support/upstream.ts'

const newFolder = temporaryFolders()

/** What a check finds on a host with these files. */
async function find(id: string, files: Readonly<Record<string, string>>): Promise<Finding[]> {
  const root = await newFolder()
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
  const about = { loaded: undefined, problem: undefined, status: undefined, virtualIp: undefined, nodes: [] }
  const surroundings: Surroundings = { system: systemAt(root), ...about }
  const found = await [...prerequisiteChecks, ...hostChecks, ...networkChecks]
    .find((check) => check.id === id)!
    .run(surroundings)
  return 'result' in found ? [found] : [...found]
}

const snmp = (retransmitted: number, fragmentation = 0) =>
  `Ip: Forwarding FragFails\nIp: 1 ${fragmentation}\nTcp: OutSegs RetransSegs\nTcp: 1000 ${retransmitted}\n`
const counters = '/sys/class/net/eth0/statistics'

describe('what the kernel tells', () => {
  test.each([
    ['kernel-version', { '/proc/sys/kernel/osrelease': '6.1.0-18-amd64\n' }, 'pass', '6.1.0'],
    ['kernel-version', { '/proc/sys/kernel/osrelease': '4.19.0\n' }, 'fail', '4.19.0'],
    ['kernel-version', {}, 'unseen', 'does not tell'],
    ['aes', { '/proc/cpuinfo': 'flags\t\t: fpu aes avx\n' }, 'pass', 'AES'],
    ['aes', { '/proc/cpuinfo': 'flags\t\t: fpu avx\n' }, 'warn', 'no AES'],
    [
      'cpu-throttling',
      { '/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count': '7' },
      'warn',
      '7 times',
    ],
    ['cpu-throttling', { '/sys/fs/cgroup/cpu.stat': 'nr_periods 9\nnr_throttled 3\n' }, 'warn', '3 times'],
    ['cpu-steal', { '/proc/stat': 'cpu 10 0 10 60 0 0 0 20 0 0\n' }, 'warn', '20.0 %'],
    ['cpu-steal', { '/proc/stat': 'cpu 10 0 10 80 0 0 0 0 0 0\n' }, 'pass', '0.0 %'],
    ['sysctl', { '/proc/sys/net/core/somaxconn': '128' }, 'warn', 'net.core.somaxconn = 128'],
    ['sysctl', { '/proc/sys/net/core/somaxconn': '4096' }, 'pass', 'net.core.somaxconn = 4096'],
    ['file-descriptors', { '/proc/self/limits': 'Max open files  1024  4096  files\n' }, 'warn', '1024'],
    ['libraries', { '/proc/self/environ': 'A=1\0LD_LIBRARY_PATH=/opt/lib\0' }, 'warn', '/opt/lib'],
    ['libraries', { '/proc/self/environ': 'A=1\0' }, 'pass', 'OpenSSL'],
    ['retransmissions', { '/proc/net/snmp': snmp(50) }, 'warn', '5.00 %'],
    ['retransmissions', { '/proc/net/snmp': snmp(1) }, 'pass', '0.10 %'],
    ['mtu', { '/proc/net/snmp': snmp(0, 4), '/sys/class/net/eth0/mtu': '1500' }, 'warn', '4 packets'],
    [
      'mtu',
      { '/sys/class/net/eth0/mtu': '1450', '/sys/class/net/docker0/mtu': '1500' },
      'warn',
      'docker0 has 1500',
    ],
    [
      'network-errors',
      { [`${counters}/rx_dropped`]: '9', [`${counters}/rx_packets`]: '100' },
      'warn',
      'rx_dropped 9',
    ],
    ['network-errors', { [`${counters}/rx_packets`]: '100' }, 'pass', 'no errors'],
  ])('%s of %j: %s', async (id, files, result, reason) => {
    const [first] = await find(id, files as Record<string, string>)
    expect(first).toMatchObject({ result, reason: expect.stringContaining(reason) })
    expect(first!.mend !== undefined).toBe(result === 'warn' || result === 'fail')
  })
})

test.each([
  [[1_000, 1_010], 'pass'],
  [[1_000, 1_300], 'warn'],
  [[3, 9], 'unseen'],
  [[1_000_000, 1_010_000], 'pass'],
  [[30, 40, 35], 'pass'],
  [[500, 500, 0], 'warn'],
])('requests %j over nodes: %s', (counts, result) => {
  expect(
    judge(
      counts.map((_, index) => `node-${index}`),
      counts,
    ).result,
  ).toBe(result)
})

describe('gateway-cli doctor', () => {
  let gateway: TestGateway
  let upstream: Upstream
  let closedPort: number

  beforeAll(async () => {
    upstream = await startUpstream()
    closedPort = await freePort()
    const issued = await (await newAuthority()).issue({ dns: ['soon.example.com'], lifetime: 3 * 86_400_000 })
    gateway = await startGateway({
      config: {
        services: [
          { name: 'well', url: upstream.url },
          { name: 'gone', url: `http://127.0.0.1:${closedPort}`, retries: 0 },
          { name: 'nowhere', url: 'http://nowhere.invalid' },
        ],
        routes: [
          { name: 'well', service: 'well', paths: ['/well'] },
          { name: 'gone', service: 'gone', paths: ['/gone'] },
          { name: 'nowhere', service: 'nowhere', paths: ['/nowhere'], hosts: ['name.invalid'] },
        ],
        certificates: [{ name: 'soon', certificate: 'soon.crt', key: 'soon.key' }],
      },
      files: { 'soon.crt': issued.certificate, 'soon.key': issued.key },
    })
  })

  afterAll(async () => {
    await gateway?.stop()
    await upstream?.stop()
  })

  const examine = async (...args: string[]) => {
    const { code, stdout } = await gateway.cli('doctor', '--json', ...args)
    const { checks } = JSON.parse(stdout) as { checks: { id: string; findings: Finding[] }[] }
    return { code, findings: new Map(checks.map(({ id, findings }) => [id, findings])) }
  }

  test('walks through all checks, finds what is wrong and says what to do', async () => {
    const { code, findings } = await examine()
    expect(findings.size).toBeGreaterThanOrEqual(20)
    expect(code).toBe(1)
    const services = findings.get('upstreams')!
    const about = (name: string) => services.find(({ reason }) => reason.startsWith(name))
    expect(about('well')).toMatchObject({ result: 'pass' })
    expect(about('gone')).toMatchObject({ result: 'fail', mend: expect.stringContaining('systemctl status') })
    expect(about('nowhere')).toMatchObject({ result: 'fail', reason: expect.stringContaining('resolved') })
    expect(findings.get('certificates')).toMatchObject([
      { result: 'warn', reason: expect.stringContaining('expires in') },
      { result: 'warn', reason: expect.stringContaining('read its key') },
    ])
    expect(findings.get('dns')).toMatchObject([{ result: 'fail', reason: 'name.invalid cannot be resolved' }])
    const ports = findings.get('ports')!.map(({ result, reason }) => `${result} ${reason}`)
    expect(ports[0]).toMatch(new RegExp(`^pass ${gateway.ports.http} .*PID ${gateway.process.pid}`))
    for (const { result, mend } of [...findings.values()].flat()) {
      expect(mend === undefined).toBe(result === 'pass' || result === 'unseen')
    }
  }, 120_000)

  test('shows people a line a finding', async () => {
    const { code, stdout } = await gateway.cli('doctor', '--only', 'configuration,certificates')
    expect(code).toBe(0)
    expect(stdout).toMatch(/✓ configuration +3 services, 3 routes\n/)
    expect(stdout).toMatch(/! certificates .*\n +→ put a new one/)
    expect(stdout).toMatch(/1 passed, 2 warn, 0 failed, 0 not seen\n$/)
    expect((await gateway.cli('doctor', '--only', 'nonsense')).code).toBe(2)
  }, 120_000)
})

test('of a gateway that does not run it says which program has its port', async () => {
  const holder = createServer()
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
  const { port } = holder.address() as { port: number }
  const stopped = await startGateway()
  try {
    await stopped.process.stop()
    const config = {
      listeners: [{ port }],
      admin: { port: await freePort() },
      status: { port: await freePort() },
    }
    await writeFile(join(stopped.configDirectory, 'config.yaml'), JSON.stringify(config))
    const { stdout, code } = await stopped.cli('doctor', '--json', '--only', 'ports,service')
    const [service, ports] = JSON.parse(stdout).checks.map(
      ({ findings }: { findings: Finding[] }) => findings,
    )
    expect(service).toMatchObject([{ result: 'fail', mend: expect.stringContaining('systemctl start') }])
    expect(ports[0]).toMatchObject({ result: 'fail', reason: expect.stringContaining(`PID ${process.pid}`) })
    expect(ports[1]).toMatchObject({ result: 'pass', reason: expect.stringContaining('is free') })
    expect(code).toBe(1)
  } finally {
    await stopped.stop()
    holder.close()
  }
}, 120_000)
