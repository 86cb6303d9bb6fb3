import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { renderHostBootstrap } from '../../constructs/index.ts'
import { makePackages } from '../../scripts/package/make-packages.ts'
import { bootHost, type LabHost, whyNoHosts } from './host.ts'

const run = promisify(execFile)

async function whyNot(): Promise<string | undefined> {
  const reason = await whyNoHosts()
  if (reason) return reason
  return run('losetup', ['--find']).then(
    () => undefined,
    () => 'no right to use loop devices',
  )
}

const reason = await whyNot()
const onHost = (name: string, body: () => Promise<void>) =>
  reason ? test.skip(`${name} (skipped: ${reason})`, body) : test(name, body, 180_000)

const configuration = {
  'config.yaml': 'listeners: [{ port: 80, protocol: http }]\nstatus: { host: 127.0.0.1, port: 9090 }\n',
  'services.yaml': 'services: []\n',
}
const { script } = renderHostBootstrap({ configuration, logDevice: 'auto' })
const nothingChanged = 'gateway-bootstrap: this host is ready; nothing had to be changed'
const size = 512 * 1_048_576 // the least for XFS is 300 MiB

let host: LabHost
let folder: string
let disk: string
let device: string | undefined

/** A disk that the kernel has of a file; the host sees it as its first NVMe disk. */
beforeAll(async () => {
  if (reason) return
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-lab-'))
  disk = join(folder, 'disk')
  await blank()
  device = (await run('losetup', ['--find', '--show', disk])).stdout.trim()
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
  await run('cp', [
    join(pool, `gateway-runtime_1.0.0_${architecture}.deb`),
    join(host.root, 'root/gateway-runtime.deb'),
  ])
  await done('dpkg --install /root/gateway-runtime.deb')
  await done(
    `mknod --mode=600 ${device} b 7 ${device.replace('/dev/loop', '')} && ln -s ${device} /dev/nvme0n1`,
  )
}, 300_000)

afterAll(async () => {
  await host?.stop()
  if (device) await run('losetup', ['--detach', device])
  if (folder) await rm(folder, { recursive: true, force: true })
}, 60_000)

async function blank(): Promise<void> {
  const file = await open(disk, 'w')
  await file.truncate(size)
  await file.close()
}

async function sumOfDisk(): Promise<string> {
  const sum = createHash('sha256')
  for await (const part of createReadStream(disk)) sum.update(part)
  return sum.digest('hex')
}

/** The exit code and the last line that a run of the bootstrap has written. */
async function bootstrap() {
  await writeFile(join(host.root, 'root/bootstrap.sh'), script)
  const { code, output } = await host.sh('bash /root/bootstrap.sh')
  return [code, output.trim().split('\n').at(-1)]
}

const done = async (command: string) => {
  const { code, output } = await host.sh(command)
  expect([code, code === 0 ? '' : output]).toEqual([0, ''])
  return output
}

const mounted = () =>
  done('findmnt --noheadings --output FSTYPE,LABEL,UUID,OPTIONS --mountpoint /var/log/gateway')

// One host and one disk: each test goes on where the one before ended.
describe('the log volume of a host', () => {
  onHost('is never made of a disk that holds data, of which nothing changes', async () => {
    for (const fill of [
      'mkfs.xfs -q /dev/nvme0n1',
      'echo data | dd of=/dev/nvme0n1 bs=1 seek=9000000 conv=notrunc,fsync',
    ]) {
      await done(`${fill} && sync /dev/nvme0n1`)
      const before = await sumOfDisk()
      expect(await bootstrap()).toEqual([
        1,
        expect.stringMatching(/no blank NVMe disk on this host \( \/dev\/nvme0n1 holds /),
      ])
      expect(await sumOfDisk()).toBe(before)
      await done('wipefs --quiet --all /dev/nvme0n1 && blkdiscard --zeroout /dev/nvme0n1')
    }
  })

  onHost('is XFS on a blank NVMe disk, mounted for the gateway alone, without times of access', async () => {
    expect(await bootstrap()).toEqual([0, 'gateway-bootstrap: this host is ready'])
    expect(await mounted()).toMatch(/^xfs +gateway-logs +\S+ +rw,nosuid,nodev,noexec,noatime,/)
    expect(await done('stat --format "%U %G %a" /var/log/gateway')).toBe('gateway adm 750\n')
    expect((await fetch(`http://${host.address}/`)).status).toBe(404)
    await done(
      'for i in $(seq 100); do [ -s /var/log/gateway/access.log ] && exit 0; sleep 0.1; done; exit 1',
    )
  })

  onHost('stays as it is when the bootstrap is run again', async () => {
    const since = 'systemctl show -p ActiveEnterTimestamp var-log-gateway.mount gateway-service'
    const before = [await mounted(), await done(since)]
    expect(await bootstrap()).toEqual([0, nothingChanged])
    expect([await mounted(), await done(since)]).toEqual(before)
  })

  onHost('is found again by what it is called, whatever the disk is', async () => {
    const before = await mounted()
    await done(`systemctl stop gateway-service var-log-gateway.mount
mv /dev/nvme0n1 /dev/nvme7n1
systemctl start var-log-gateway.mount gateway-service`)
    expect(await mounted()).toBe(before)
    expect(await bootstrap()).toEqual([0, nothingChanged])
  })

  onHost('loses its oldest rotated logs before it is full, and no current one', async () => {
    const used = async () => Number((await done('df --output=pcent /var/log/gateway')).replace(/\D/g, ''))
    await done(`cd /var/log/gateway
fallocate --length 150M access.log.3.gz; touch --date=-3days access.log.3.gz
fallocate --length 150M access.log.2.gz; touch --date=-2days access.log.2.gz
fallocate --length 100M audit.log.1; touch --date=-1days audit.log.1`)
    expect(await used()).toBeGreaterThanOrEqual(80)
    await done('systemctl is-active gateway-log-space.timer && systemctl start gateway-log-space.service')
    expect(await used()).toBeLessThan(80)
    expect(await done('cd /var/log/gateway; ls *.log.*')).toBe('access.log.2.gz\naudit.log.1\n')
    await done(
      'fallocate --length 300M /var/log/gateway/error.log; systemctl start gateway-log-space.service',
    )
    expect(await used()).toBeLessThan(80)
    expect((await fetch(`http://${host.address}/`)).status).toBe(404)
    await done('systemctl is-active gateway-service')
  })
})
