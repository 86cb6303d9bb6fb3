import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { buildGateway, distribution } from '../../scripts/build/bundle.ts'
import { startGatewayProcess } from '../../scripts/process/gateway.ts'
import { freePorts } from '../support/ports.ts'
import { temporaryFolders } from '../support/temporary-folder.ts'

const run = promisify(execFile)
const folder = temporaryFolders()
// Nothing but the shell and its tools: no node but the one beside the program can be found.
const env = { PATH: '/usr/bin:/bin', NODE_PATH: '' }

describe('dist/gateway', () => {
  let names: string[]
  beforeAll(async () => {
    names = (await buildGateway()).map(({ name }) => name)
  })

  test('holds the programs, their bundles with the parts of this build and no other, and Node.js', async () => {
    const [parts, others] = [/^part-[A-Z0-9]{8}\.mjs$/, /\.LEGAL\.txt$|^node_modules$/]
    expect(names.filter((name) => !parts.test(name)).sort()).toEqual(
      [
        ...['gateway', 'gateway-cli', 'node'],
        ...['gateway-cli.mjs', 'gateway.mjs', 'waf-inspector.mjs', 'worker.mjs'],
      ].sort(),
    )
    await writeFile(join(distribution, 'part-OFBEFORE.mjs'), '')
    const again = (await buildGateway()).map(({ name }) => name)
    const held = (await readdir(distribution)).filter((name) => !others.test(name))
    expect(again.sort()).toEqual(held.sort())
  })

  /** The text of a file, and of all that it imports before it runs. */
  async function loadedWith(name: string, seen = new Set<string>()): Promise<string> {
    if (seen.has(name)) return ''
    seen.add(name)
    const text = await readFile(join(distribution, name), 'utf8')
    const imported = [...text.matchAll(/(?:^|[;\n])import(?:[^;"'(]*from)?"\.\/(part-\w+\.mjs)"/g)]
    const texts = await Promise.all(imported.map(([, part]) => loadedWith(part!, seen)))
    return [text, ...texts].join('')
  }

  test('has programs load what is not always needed when it is', async () => {
    const clients = ['S3Client', 'KMSClient', 'SecretsManagerClient', 'Route53Client']
    const heldBy = (texts: readonly string[]) =>
      clients.filter((client) => texts.some((text) => new RegExp(`new [\\w.]*${client}\\(`).test(text)))
    for (const program of ['gateway.mjs', 'worker.mjs', 'gateway-cli.mjs']) {
      const loaded = await loadedWith(program)
      expect(loaded.length).toBeGreaterThan(10_000) // and not little, because imports are written otherwise
      expect(heldBy([loaded])).toEqual([])
    }
    const bundles = names.filter((name) => name.endsWith('.mjs'))
    const whole = await Promise.all(bundles.map((name) => readFile(join(distribution, name), 'utf8')))
    expect(heldBy(whole)).toEqual(clients)
  })

  test.each(['gateway', 'gateway-cli'])('%s runs where it was built', async (name) => {
    const { stdout } = await run(join(distribution, name), ['--version'], { env })
    expect(stdout).toMatch(/^\d+\.\d+\.\d+/)
  })

  test.each(['gateway', 'gateway-cli'])('%s runs from a copy, through links', async (name) => {
    const directory = await folder()
    await cp(distribution, join(directory, 'copy of it'), { recursive: true })
    await symlink(join('copy of it', name), join(directory, 'first'))
    await symlink(join(directory, 'first'), join(directory, 'second'))
    const { stdout } = await run(join(directory, 'second'), ['--version'], { env, cwd: '/' })
    expect(stdout).toMatch(/^\d+\.\d+\.\d+/)
  })

  test('serves from a copy, with nothing of this checkout beside it', async () => {
    const directory = await folder()
    await cp(distribution, join(directory, 'copy'), { recursive: true })
    const [http, admin, status] = (await freePorts(3)) as [number, number, number]
    const config = {
      listeners: [{ host: '127.0.0.1', port: http }],
      admin: { port: admin },
      status: { host: '127.0.0.1', port: status },
      workers: 1,
      logs: { directory: join(directory, 'logs') },
    }
    await mkdir(join(directory, 'config'))
    await writeFile(join(directory, 'config/config.yaml'), JSON.stringify(config))
    const gateway = await startGatewayProcess({
      command: [join(directory, 'copy/gateway')],
      configDirectory: join(directory, 'config'),
      stateDirectory: join(directory, 'state'),
      statusPort: status,
      env,
    })
    try {
      expect((await fetch(`http://127.0.0.1:${http}/`)).status).toBe(404)
    } finally {
      await gateway.stop()
    }
  })

  test('has parts that load from a copy, each of them, and nothing but Node.js beside them', async () => {
    const copy = join(await folder(), 'copy')
    await cp(distribution, copy, { recursive: true })
    const parts = names.filter((name) => name.startsWith('part-'))
    const load = parts.map((name) => `await import('./${name}')`).join('\n')
    await writeFile(join(copy, 'all.mjs'), `${load}\nprocess.stdout.write('loaded')\nprocess.exit()`)
    const { stdout } = await run(join(copy, 'node'), [join(copy, 'all.mjs')], { env, cwd: '/' })
    expect(stdout).toBe('loaded')
  })

  test('runs on the Node.js of this build', async () => {
    const { stdout } = await run(join(distribution, 'node'), ['--version'], { env })
    expect(stdout.trim()).toBe(process.version)
  })

  test('keeps the licences of what is bundled', async () => {
    const files = (await readdir(distribution)).filter((name) => name.endsWith('.LEGAL.txt'))
    const texts = await Promise.all(files.map((name) => readFile(join(distribution, name), 'utf8')))
    expect(texts.join('\n')).toMatch(/licen[sc]e/i)
  })
})
