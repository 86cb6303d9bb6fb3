import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { allocatedBytes, makeDiskImage, whyNoDiskImage } from '../../../scripts/package/disk-image.ts'
import { makePackages } from '../../../scripts/package/make-packages.ts'
import { findProgram } from '../../../scripts/process/system-programs.ts'
import { eventually } from '../../support/eventually.ts'
import { bootImage } from '../../support/virtual-machine.ts'

const wanted = process.env.GATEHOUSE_TEST_IMAGE === '1'
const minutes = 60_000

async function whyNot(): Promise<string | undefined> {
  if (!wanted) return 'takes a quarter of an hour without virtualisation; npm run test:image'
  if (!(await findProgram('qemu-system-x86_64'))) return 'qemu-system-x86_64 is not installed'
  return whyNoDiskImage()
}

const reason = await whyNot()
const withImage = (name: string, body: () => Promise<void>) =>
  reason ? test.skip(`${name} (skipped: ${reason})`, body) : test(name, body, 20 * minutes)

/** A start that is translated instruction by instruction takes longer than the service is given elsewhere. */
const userData = `#cloud-config
bootcmd:
  - [sh, -c, 'mkdir -p /run/systemd/system/gateway-service.service.d && printf "[Service]\\nTimeoutStartSec=900\\nWatchdogSec=0\\n" >/run/systemd/system/gateway-service.service.d/slow.conf && systemctl daemon-reload']
ssh_genkeytypes: [ed25519]
write_files:
  - path: /etc/gateway/services.yaml
    content: |
      services: [{ name: none, url: 'http://127.0.0.1:9' }]
      routes: [{ name: hello, service: none, paths: [/hello] }]
      plugins: [{ name: request-termination, route: hello, config: { status_code: 200, message: hello } }]
`

let folder: string
let image: string

beforeAll(async () => {
  if (reason) return
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  const out = join(folder, 'out')
  image = join(out, 'gateway-1.2.3-amd64.raw')
  await makePackages({
    folder: out,
    version: '1.2.3',
    time: 1_700_000_000,
    repositoryUrl: 'https://packages.example.com/debian',
    keyFile: join(folder, 'key.asc'),
    only: 'amd64',
    withDiskImage: true,
  })
}, 20 * minutes)
afterAll(async () => {
  if (folder) await rm(folder, { recursive: true, force: true })
})

const sumOf = async (path: string) => {
  const sum = createHash('sha256')
  for await (const part of createReadStream(path)) sum.update(part)
  return sum.digest('hex')
}

describe('the disk image', () => {
  withImage('takes less than 1 GiB of the 2 GiB that it spans', async () => {
    expect(await allocatedBytes(image)).toBeLessThan(2 ** 30)
  })

  withImage('is the same, byte for byte, made in another folder, time zone and language', async () => {
    const other = join(folder, 'other')
    await mkdir(other)
    const name = 'gateway-runtime_1.2.3_amd64.deb'
    await copyFile(join(folder, 'out/apt/pool/main/g/gateway-runtime', name), join(other, name))
    const before = { ...process.env }
    Object.assign(process.env, { TZ: 'Asia/Tokyo', LANG: 'de_DE.UTF-8', TMPDIR: other })
    const umask = process.umask(0o077)
    try {
      const path = join(other, 'again.raw')
      await makeDiskImage({ path, package: join(other, name), version: '1.2.3', time: 1_700_000_000 })
      expect(await sumOf(path)).toBe(await sumOf(image))
      await rm(path)
    } finally {
      process.umask(umask)
      process.env = before
    }
  })

  for (const firmware of ['BIOS', 'UEFI'] as const) {
    withImage(`boots by ${firmware}, takes what cloud-init is told, and answers`, async () => {
      const machine = await bootImage(image, firmware, userData)
      try {
        const isAnswered = async () => {
          if (machine.hasEnded) throw new Error(`the machine ended: ${await machine.console()}`)
          return fetch(`${machine.url}/hello`, { signal: AbortSignal.timeout(5_000) }).then(
            ({ status }) => status === 200,
            () => false,
          )
        }
        await eventually('an answer of the gateway', isAnswered, 18 * minutes).catch(async (error) => {
          throw new Error(`${error.message}\n${(await machine.console()).slice(-2_000)}`)
        })
      } finally {
        await machine.stop()
      }
    })
  }
})
