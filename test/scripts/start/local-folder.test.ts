import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { developmentAuthority } from '../../../scripts/start/development-certificates.ts'
import { movePorts, prepareLocalFolder } from '../../../scripts/start/local-folder.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'

const folder = temporaryFolders()
const local = join(import.meta.dirname, '../../../stacks/environments/local')

async function setUp() {
  const root = await folder()
  const environment = join(root, 'environment')
  await cp(local, environment, { recursive: true })
  const directory = join(root, 'local')
  const authority = await developmentAuthority(join(root, 'ca'))
  const prepare = (portOffset = 0) => prepareLocalFolder({ environment, directory, portOffset, authority })
  return { environment, directory, prepare, config: join(directory, 'config.yaml') }
}

describe('the local folder', () => {
  test('is made from the environment, without environment.yaml, and tells what listens where', async () => {
    const { directory, prepare, config } = await setUp()
    const { origin, layout } = await prepare()
    expect(origin).toBe('new')
    expect(await readFile(config, 'utf8')).toBe(await readFile(join(local, 'config.yaml'), 'utf8'))
    await expect(readFile(join(directory, 'environment.yaml'))).rejects.toThrow('ENOENT')
    expect(layout).toMatchObject({
      listeners: [
        { port: 8080, protocol: 'http' },
        { port: 8443, protocol: 'https' },
      ],
      adminPort: 8001,
      statusPort: 9090,
      logDirectory: join(directory, 'logs'),
      services: [
        { name: 'orders', port: 9101 },
        { name: 'users', port: 9102 },
      ],
    })
  })

  test('keeps what a person changed', async () => {
    const { prepare, config } = await setUp()
    await prepare()
    const changed = `${await readFile(config, 'utf8')}# my own note\n`
    await writeFile(config, changed)
    expect((await prepare()).origin).toBe('kept')
    expect(await readFile(config, 'utf8')).toBe(changed)
  })

  test('is made anew when the environment changed, and keeps aside what was there', async () => {
    const { environment, prepare, config } = await setUp()
    await prepare()
    await writeFile(config, '# my own note\n')
    const newer = `${await readFile(join(environment, 'config.yaml'), 'utf8')}# newer\n`
    await writeFile(join(environment, 'config.yaml'), newer)
    expect((await prepare()).origin).toBe('renewed')
    expect(await readFile(config, 'utf8')).toBe(newer)
    expect(await readFile(`${config}.old`, 'utf8')).toBe('# my own note\n')
  })

  test('says what is wrong with it, where, and how to begin anew', async () => {
    const { prepare, config, directory } = await setUp()
    await prepare()
    await writeFile(config, 'listeners: [')
    const problem = prepare()
    await expect(problem).rejects.toThrow(/config\.yaml:1:/)
    await expect(problem).rejects.toThrow(`The configuration in ${directory} has problems`)
    await expect(problem).rejects.toThrow('delete the folder to begin anew')
  })

  test('has all its ports moved by the offset', async () => {
    const { prepare } = await setUp()
    const { layout } = await prepare(1_000)
    expect(layout.listeners.map(({ port }) => port)).toEqual([9080, 9443])
    expect([layout.adminPort, layout.statusPort]).toEqual([9001, 10_090])
    expect(layout.services.map(({ port }) => port)).toEqual([10_101, 10_102])
  })
})

describe('movePorts', () => {
  test('keeps comments, and services that are elsewhere', () => {
    const text = [
      '# who listens',
      'admin: { port: 8001 } # loopback',
      'services:',
      '  - { name: here, url: http://localhost:9101/base }',
      '  - { name: there, url: http://10.0.12.7:8080 }',
      '',
    ].join('\n')
    const moved = movePorts(text, 7)
    expect(moved).toContain('# who listens')
    expect(moved).toContain('port: 8008 } # loopback')
    expect(moved).toContain('http://localhost:9108/base')
    expect(moved).toContain('http://10.0.12.7:8080')
  })
})
