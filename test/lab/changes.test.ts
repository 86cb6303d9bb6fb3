import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { LabDeployment } from '../../scripts/lab/deploy.ts'
import type { TerraformRun } from '../../scripts/lab/terraform.ts'
import { eventually } from '../support/eventually.ts'
import {
  applied,
  ask,
  awaitCertificates,
  onHosts,
  shownCertificates,
  startTestLab,
  statusOf,
  type TestLab,
  underLoad,
  whyNoDeployment,
} from './cluster.ts'
import { note, writeFigures } from './figures.ts'
import { publishAgain } from './repack.ts'

const reason =
  (await whyNoDeployment()) ??
  (process.env.GATEHOUSE_TEST_LAB ? undefined : 'takes minutes: npm run test:lab runs it')
const onLab = (name: string, body: () => Promise<void>) =>
  reason ? test.skip(`${name} (skipped: ${reason})`, body) : test(name, body, 400_000)

const atFirst = [['edge', 'redis'], ['edge', 'gateway', 'redis'], ['gateway', 'redis'], []] as const
const joined = [...atFirst.slice(0, 3), ['gateway']] as const

let testLab: TestLab
let lab: LabDeployment
let vip: string
let before: Record<string, string>

beforeAll(async () => {
  if (reason) return
  testLab = await startTestLab(4, { roles: atFirst })
  lab = testLab.deployment
  vip = lab.virtualIps[0]!
  before = await footprint()
  await applied(lab)
  await awaitCertificates(testLab)
}, 400_000)

afterAll(async () => {
  await testLab?.stop()
  writeFigures()
}, 60_000)

/**
 * What a host has on its disk, in its firewall and among its units, but logs, caches, the memory of programs, and the
 * empty script that Terraform leaves behind itself.
 */
const footprint = () =>
  onHosts(
    lab,
    `find /etc /usr /opt /root /home /srv /var/lib /var/backups -xdev \\( -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /var/lib/ucf -o -path /var/lib/private -o -path /usr/share/mime -o -path /var/lib/haproxy/dev -o -path /root/.ssh -o -path /root/.gateway-terraform.sh \\) -prune -o \\( -type f -o -type l \\) -print | grep -v -e /__pycache__/ -e '[-~]$' -e /etc/ld.so.cache | sort
for path in $(find /etc -type f); do sha256sum "$path"; done | grep -v -e '[-~]$' -e /etc/ld.so.cache | sort -k 2
dpkg-query --show | sort
for tables in iptables ip6tables; do $tables-save -t filter | grep -v -e '^#' | sed 's/\\[.*\\]//'; done
systemctl list-unit-files --state=enabled,masked --no-legend`,
  )

const versions = () => onHosts(lab, 'dpkg-query --status gateway-runtime 2>&1 | sed -n "s/^Version: //p"')
const processes = (...names: string[]) =>
  onHosts(
    lab,
    'systemctl show -p MainPID -p ActiveEnterTimestamp gateway-service haproxy keepalived redis-server@6379; sha256sum /etc/gateway/*.yaml',
    names,
  )

/** Applies what cannot succeed; all that Terraform wrote. */
async function refused(configuration: Record<string, string>): Promise<string> {
  const { code, output } = await lab.apply({ configuration })
  expect(code).toBe(1)
  return output
}

/** The configuration with one more path that leads to the page. */
const withPath = (path: string) => ({
  ...lab.settings.configuration,
  'services.yaml': lab.settings.configuration['services.yaml']!.replace('[/hello', `[/hello, ${path}`),
})

// Two edges, two gateways, three hosts of Redis, and one that waits: each test goes on where the one before ended.
describe('a cluster of hosts', () => {
  onLab('shows a new certificate on all nodes, without a failed request', async () => {
    const old = await shownCertificates(testLab)
    const { failures, answered } = await underLoad(testLab, async () => {
      const renewed = await onHosts(lab, 'gateway-cli certificates renew', ['host-2'])
      expect(renewed).toEqual({ 'host-2': expect.not.stringContaining('exit code') })
      await eventually(
        'the new certificate on all gateways',
        async () => [...(await shownCertificates(testLab))].every((serial) => !old.has(serial)),
        60_000,
      )
    })
    note(
      'A certificate ordered anew, shown by all nodes',
      'no failed request',
      `${failures.length} of ${failures.length + answered} requests failed`,
    )
    expect(failures).toEqual([])
    expect(answered).toBeGreaterThan(20)
  })

  onLab('gets a new version node by node, without a failed request', async () => {
    await publishAgain(lab, '1.1.0')
    let output = ''
    const { failures, answered } = await underLoad(testLab, async () => {
      output = await applied(lab, { version: '1.1.0' })
    })
    note(
      'A new version on all nodes, one after the other',
      'no failed request',
      `${failures.length} of ${failures.length + answered} requests failed`,
    )
    expect(failures).toEqual([])
    expect(answered).toBeGreaterThan(20)
    expect(await versions()).toMatchObject({ 'host-2': '1.1.0', 'host-3': '1.1.0' })
    const turns = [...output.matchAll(/_(host-\d)_\w+ .*installing gateway-runtime/g)].map(([, name]) => name)
    expect(turns).toEqual(['host-2', 'host-3'])
  })

  onLab('stops at a node that is not ready with a new version, and puts the old one back', async () => {
    await publishAgain(lab, '1.2.0', true)
    const others = await processes('host-1', 'host-3')
    let run: TerraformRun | undefined
    const { failures } = await underLoad(testLab, async () => {
      run = await lab.apply({ version: '1.2.0' })
    })
    expect([run?.code, run?.output]).toEqual([
      1,
      expect.stringMatching(/host-2\S+ \(remote-exec\): .*1\.2\.0 did not become ready; 1\.1\.0 goes on/),
    ])
    expect(run?.output).toContain('going back to gateway-runtime 1.1.0')
    expect(failures).toEqual([])
    expect(await versions()).toMatchObject({ 'host-2': '1.1.0', 'host-3': '1.1.0' })
    expect(await processes('host-1', 'host-3')).toEqual(others)
    await publishAgain(lab, '1.1.0')
    expect(await applied(lab, { version: '1.1.0' })).toMatch(/Apply complete/)
  })

  onLab('takes in a host that joins', async () => {
    await applied(lab, { roles: joined })
    expect(
      (await onHosts(lab, 'grep -c "^  server host-4 " /etc/haproxy/haproxy.cfg', ['host-1']))['host-1'],
    ).toBe('2')
    expect(await versions()).toMatchObject({ 'host-4': '1.1.0' })
    const counted = () => onHosts(lab, 'cat /var/log/gateway/access.log | wc -l', ['host-4'])
    await eventually(
      'a request at the new host',
      async () => (await ask(vip, testLab.root)) && Number((await counted())['host-4']) > 0,
      30_000,
    )
  })

  onLab('lets a host go that leaves, without a failed request and with nothing left on it', async () => {
    const { failures } = await underLoad(testLab, () => applied(lab, { roles: atFirst }))
    expect(failures).toEqual([])
    expect((await footprint())['host-4']).toBe(before['host-4'])
    expect(await onHosts(lab, 'grep -c host-4 /etc/haproxy/haproxy.cfg; true', ['host-1'])).toEqual({
      'host-1': '0',
    })
  })

  onLab('says which host is at fault, leaves all as they were, and goes on once it is mended', async () => {
    const hosts = ['host-1', 'host-2', 'host-3']
    const running = await processes(...hosts)
    const onHost3 = async (script: string) =>
      expect(await onHosts(lab, script, ['host-3'])).toEqual({
        'host-3': expect.not.stringContaining('exit code'),
      })
    const configuration = withPath('/later')
    const faults: [fault: string, mend: string, message: RegExp][] = [
      [
        'ip link set eth0 down',
        'ip link set eth0 up',
        /prepare_host-3[\s\S]*timeout - last error: dial tcp [\d.]+:22/,
      ],
      [
        'ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/other && echo "HostKey /etc/ssh/other" >/etc/ssh/sshd_config.d/other.conf && systemctl restart ssh',
        'rm /etc/ssh/other* /etc/ssh/sshd_config.d/other.conf && systemctl restart ssh',
        /prepare_host-3[\s\S]*key mismatch/,
      ],
      [
        'mount -t tmpfs -o size=1m tmpfs /var/lib',
        'umount /var/lib',
        /prepare_host-3\S+ \(remote-exec\): .*only 1 MiB are free in \/var\/lib/,
      ],
      [
        'sed s/aes//g /proc/cpuinfo >/run/cpuinfo && mount --bind /run/cpuinfo /proc/cpuinfo',
        'umount /proc/cpuinfo',
        /prepare_host-3\S+ \(remote-exec\): .*no AES instructions/,
      ],
    ]
    for (const [fault, mend, message] of faults) {
      await onHost3(fault)
      try {
        expect(await refused(configuration)).toMatch(message)
      } finally {
        await onHost3(mend)
      }
      expect(await processes(...hosts)).toEqual(running)
      expect(await ask(vip, testLab.root)).toEqual({ status: 200, body: 'hello' })
    }
    await applied(lab, { configuration })
    expect(await ask(vip, testLab.root, '/later')).toEqual({ status: 200, body: 'hello' })
  })

  onLab('is taken off its hosts, which are as they were', async () => {
    const { code, output } = await lab.destroy()
    expect([code, output]).toEqual([0, expect.stringMatching(/0 added, 0 changed, \d+ destroyed/)])
    expect(await statusOf(vip, 80, '/hello')).toBeUndefined()
    expect(await footprint()).toEqual(before)
  })
})
