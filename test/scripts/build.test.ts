import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
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

  test('holds the programs, their bundles and Node.js', () => {
    expect(names.sort()).toEqual(
      [
        ...['gateway', 'gateway-cli', 'node'],
        ...['gateway-cli.mjs', 'gateway.mjs', 'waf-inspector.mjs', 'worker.mjs'],
      ].sort(),
    )
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

  test('runs on the Node.js of this build', async () => {
    const { stdout } = await run(join(distribution, 'node'), ['--version'], { env })
    expect(stdout.trim()).toBe(process.version)
  })

  test('keeps the licences of what is bundled', async () => {
    expect(await readFile(join(distribution, 'gateway.mjs.LEGAL.txt'), 'utf8')).toMatch(/licen[sc]e/i)
  })
})
