import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { renderHostBootstrap } from '../../constructs/index.ts'
import { makePackages } from '../../scripts/package/make-packages.ts'
import { bootHost, type LabHost, whyNoHosts } from './host.ts'

const reason = await whyNoHosts()
const onHost = (name: string, body: () => Promise<void>) =>
  reason ? test.skip(`${name} (skipped: ${reason})`, body) : test(name, body, 180_000)

const configuration = {
  'config.yaml': 'listeners: [{ port: 80, protocol: http }]\nstatus: { host: 127.0.0.1, port: 9090 }\n',
  'services.yaml': 'services: []\n',
}
const networks = { managementNetworks: ['10.231.0.0/16'] }
const { script } = renderHostBootstrap({ configuration, ...networks })
const changedScript = renderHostBootstrap({
  configuration: { ...configuration, 'services.yaml': `# none yet\n${configuration['services.yaml']}` },
  ...networks,
}).script

let host: LabHost
let folder: string

beforeAll(async () => {
  if (reason) return
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-lab-'))
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'
  await makePackages({
    folder: join(folder, 'packages'),
    version: '1.0.0',
    time: 1_700_000_000,
    repositoryUrl: 'https://packages.example.com/debian',
    keyFile: join(folder, 'key.asc'),
    only: architecture,
  })
  host = await bootHost()
  const pool = join(folder, 'packages/apt/pool/main/g/gateway-runtime')
  const name = `gateway-runtime_1.0.0_${architecture}.deb`
  await promisify(execFile)('cp', [join(pool, name), join(host.root, 'root/gateway-runtime.deb')])
}, 300_000)

afterAll(async () => {
  await host?.stop()
  if (folder) await rm(folder, { recursive: true, force: true })
}, 60_000)

/** Runs a bootstrap script on the host, with what is to be done there before and after. */
async function bootstrap(text: string, before = ':', after = ':', bash = 'bash') {
  await writeFile(join(host.root, 'root/bootstrap.sh'), text)
  return host.sh(`${before}\n${bash} /root/bootstrap.sh; code=$?\n${after}\nexit $code`)
}

const done = async (command: string) => {
  const { code, output } = await host.sh(command)
  expect([code, code === 0 ? '' : output]).toEqual([0, ''])
  return output
}

/** All that the bootstrap writes or changes, in one text. */
const state = () =>
  done(`find /etc /usr/local /var/backups -xdev -type f -printf '%p %T@ %m %u\\n' | sort
iptables-save | grep -v '^[#:]'; ip6tables-save | grep -v '^[#:]'
systemctl show -p MainPID -p ActiveEnterTimestamp gateway-service gateway-firewall; findmnt --list --noheadings --output TARGET`)

// One host, from bare to bootstrapped: each test goes on where the one before ended.
describe('the bootstrap of a host', () => {
  onHost('stops with the reason at each audit that fails, before it changes anything', async () => {
    const before = await state()
    const stops = async (expected: RegExp, ...how: [before?: string, after?: string, bash?: string]) => {
      const { code, output } = await bootstrap(script, ...how)
      expect([code, output]).toEqual([1, expect.stringMatching(expected)])
    }
    await stops(
      /root is needed/,
      'chmod 755 /root',
      'chmod 700 /root',
      'setpriv --reuid=65534 --clear-groups bash',
    )
    await stops(
      /the kernel is 4\.19\.0; 5\.0 or newer is needed/,
      `mkdir /run/old && printf '#!/bin/sh\\necho 4.19.0\\n' >/run/old/uname && chmod +x /run/old/uname; PATH=/run/old:$PATH`,
      'rm -r /run/old',
    )
    await stops(
      /no AES instructions/,
      'sed s/aes//g /proc/cpuinfo >/run/cpuinfo && mount --bind /run/cpuinfo /proc/cpuinfo',
      'umount /proc/cpuinfo',
    )
    await stops(
      /only \d MiB are free in \/var\/log; 256 are needed/,
      'mount -t tmpfs -o size=1m tmpfs /var/log',
      'umount /var/log',
    )
    await stops(
      /port 443 is taken: .*systemd/,
      `printf '[Socket]\\nListenStream=443\\nAccept=yes\\n' >/run/systemd/system/taken.socket
printf '[Service]\\nExecStart=/bin/true\\n' >'/run/systemd/system/taken@.service'
systemctl daemon-reload; systemctl start taken.socket`,
      'systemctl stop taken.socket; rm /run/systemd/system/taken*; systemctl daemon-reload',
    )
    const withDisk = renderHostBootstrap({ configuration, logDevice: 'auto' }).script
    const { code, output } = await bootstrap(withDisk)
    expect([code, output]).toEqual([1, expect.stringMatching(/no blank NVMe disk on this host/)])
    await stops(/gateway-runtime is not installed, and no apt repository is given/)
    expect(await state()).toBe(before)
  })

  onHost(
    'is run again where it was interrupted half-way, and keeps rules and mounts of the host',
    async () => {
      await done(`dpkg --install /root/gateway-runtime.deb
iptables -A INPUT -p tcp --dport 2222 -j ACCEPT
iptables -t nat -A PREROUTING -p tcp --dport 81 -j REDIRECT --to-ports 80
mount -t tmpfs own /srv`)
      const cut = script.replace("say 'kernel parameters'", 'kill -KILL $$')
      expect((await bootstrap(cut)).code).not.toBe(0)
      const { code, output } = await bootstrap(script)
      expect([code, output]).toEqual([0, expect.stringMatching(/this host is ready\n$/)])
      const rules = await done('iptables-save')
      for (const rule of [
        '-A INPUT -p tcp -m tcp --dport 2222 -j ACCEPT',
        '-A INPUT -j GATEWAY',
        '-A GATEWAY -p tcp -m tcp --dport 443 -j ACCEPT',
        '-A PREROUTING -p tcp -m tcp --dport 81 -j REDIRECT --to-ports 80',
      ]) {
        expect(rules.split('\n').filter((line) => line === rule)).toEqual([rule])
      }
      expect(rules).toContain(':INPUT DROP')
      expect(await done('findmnt --noheadings --output SOURCE /srv')).toBe('own\n')
      expect(await done('sysctl -n net.core.somaxconn')).toBe('4096\n')
      const { status } = await fetch(`http://${host.address}/`)
      expect(status).toBe(404)
      expect((await host.sh('systemctl is-active gateway-firewall-undo.timer')).output).toBe('inactive\n')
    },
  )

  onHost('changes nothing when it is run again, and says so', async () => {
    const before = await state()
    const { code, output } = await bootstrap(script)
    expect([code, output]).toEqual([0, expect.stringMatching(/ready; nothing had to be changed\n$/)])
    expect(await state()).toBe(before)
  })

  onHost('has the unit of the service in one place, hardened', async () => {
    expect(await done('systemctl show -p FragmentPath -p DropInPaths gateway-service')).toMatch(
      /^FragmentPath=(\/usr)?\/lib\/systemd\/system\/gateway-service\.service\nDropInPaths=\n$/,
    )
    const exposure = /exposure level for .*: ([\d.]+)/.exec(
      await done('systemd-analyze security gateway-service'),
    )
    expect(Number(exposure?.[1])).toBeLessThanOrEqual(2)
  })

  onHost('keeps the configuration whole where the disk is full', async () => {
    const fill =
      'cp -a /etc/gateway /run/kept; mount -t tmpfs -o size=64k tmpfs /etc/gateway; cp -a /run/kept/. /etc/gateway/; ' +
      'dd if=/dev/zero of=/etc/gateway/filler bs=4k 2>/dev/null'
    const { code, output } = await bootstrap(
      changedScript,
      fill,
      'cmp /etc/gateway/services.yaml /run/kept/services.yaml || echo torn; ls -A /etc/gateway; umount /etc/gateway; rm -r /run/kept',
    )
    expect([code, output]).toEqual([1, expect.stringMatching(/could not be written .*what it held stays/)])
    expect(output).not.toMatch(/torn|\.gateway\./)
    expect((await bootstrap(changedScript)).code).toBe(0)
    expect(await done('cat /etc/gateway/services.yaml')).toContain('# none yet')
  })

  onHost('gives the old rules back where it is cut off after the new ones', async () => {
    const unlocked = renderHostBootstrap({ configuration }).script
    const cut = unlocked.replace('--on-active=180', '--on-active=2').replace("say 'service'", 'kill -KILL $$')
    const open = 'iptables-save | grep -c "dport 8444"'
    expect(await done(open)).toBe('1\n')
    expect((await bootstrap(cut, ':', open)).output).toMatch(/^0$/m)
    await done(`for i in $(seq 100); do [ "$(${open})" = 1 ] && exit 0; sleep 0.2; done; exit 1`)
  })
})
