import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from '@jest/globals'
import { run } from '../../../scripts/lab/run.ts'
import { makePackages } from '../../../scripts/package/make-packages.ts'
import { startGatewayProcess } from '../../../scripts/process/gateway.ts'
import { freePorts } from '../../support/ports.ts'
import { programForTests } from '../../support/test-program.ts'

const emulator = await programForTests('qemu-aarch64-static')
const long = 180_000
let folder: string
let image: string

beforeAll(async () => {
  if (!emulator.isInstalled) return
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  image = join(folder, 'image')
  await mkdir(image)
  const out = join(folder, 'out')
  await makePackages({
    folder: out,
    version: '1.2.3',
    time: 1_700_000_000,
    repositoryUrl: 'https://packages.example.com/debian',
    keyFile: join(folder, 'key.asc'),
    only: 'arm64',
  })
  const blob = (digest: string) => join(out, 'oci/blobs/sha256', digest.slice('sha256:'.length))
  const json = async (path: string) => JSON.parse(await readFile(path, 'utf8'))
  const { manifests } = await json(join(out, 'oci/index.json'))
  const { layers } = await json(blob(manifests[0].digest))
  for (const { digest } of layers)
    await run('tar', ['--extract', '--gzip', '--file', blob(digest), '--directory', image])
}, long)
afterAll(async () => {
  if (folder) await rm(folder, { recursive: true, force: true })
})

emulator.test(
  'the image for arm64 answers, with its own libraries and machine code',
  async () => {
    const program = join(image, 'usr/lib/gateway')
    const onArm = [emulator.path, '-L', image, join(program, 'node')] as const
    expect((await emulator.run([...onArm.slice(1), '--print', 'process.arch'])).stdout.toString()).toBe(
      'arm64\n',
    )
    const [http, admin, status] = (await freePorts(3)) as [number, number, number]
    // The emulator looks for files in the image when they are opened, but not when they are asked about.
    const rules = join(image, 'usr/share/modsecurity-crs')
    const config = {
      listeners: [{ host: '127.0.0.1', port: http }],
      admin: { port: admin },
      status: { host: '127.0.0.1', port: status },
      workers: 1,
      logs: { directory: join(folder, 'logs') },
      services: [{ name: 'none', url: 'http://127.0.0.1:9' }],
      routes: [{ name: 'hello', service: 'none', paths: ['/'] }],
      plugins: [
        { name: 'waf', config: { rules, anomaly_threshold: 15, time_budget: 10_000 } },
        { name: 'request-termination', config: { status_code: 200, message: 'hello' } },
      ],
    }
    await mkdir(join(folder, 'config'))
    await writeFile(join(folder, 'config/config.yaml'), JSON.stringify(config))
    const gateway = await startGatewayProcess({
      command: [...onArm, join(program, 'gateway.mjs')],
      configDirectory: join(folder, 'config'),
      stateDirectory: join(folder, 'state'),
      statusPort: status,
      limit: 120_000,
    })
    try {
      const attack = new URLSearchParams({
        a: "1' OR '1'='1'--",
        b: '<script>alert(1)</script>',
        c: '/../etc/passwd',
      })
      expect((await fetch(`http://127.0.0.1:${http}/`)).status).toBe(200)
      expect((await fetch(`http://127.0.0.1:${http}/?${attack}`)).status).toBe(403)
    } finally {
      await gateway.stop()
    }
  },
  long,
)
