import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { containerOf } from '../../scripts/lab/host.ts'
import { type LabRecord, readRecord } from '../../scripts/lab/record.ts'
import { run } from '../../scripts/lab/run.ts'
import { root } from '../../scripts/process/tool.ts'
import { eventually } from '../support/eventually.ts'
import { whyNoHosts } from './host.ts'

const reason =
  (await whyNoHosts()) ??
  (process.env.GATEHOUSE_TEST_LAB ? undefined : 'takes half a minute: npm run test:lab runs it')
const onLab = (name: string, body: () => Promise<void>) =>
  reason ? test.skip(`${name} (skipped: ${reason})`, body) : test(name, body, 200_000)

const name = `test-cli-${process.pid}`
const program = join(root, 'scripts/lab.ts')

/** Runs a command of the lab to its end. */
const lab = (...args: string[]) =>
  new Promise<{ readonly code: unknown; readonly output: string }>((resolve) => {
    execFile(process.execPath, [program, ...args, '--name', name], (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, output: `${stdout}${stderr}` }),
    )
  })

/** All of a lab that this machine still has. */
async function leftOf(record: LabRecord): Promise<string[]> {
  const namespaces = (await run('ip', ['netns', 'list'])).split('\n').map((line) => line.split(' ')[0]!)
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  const folders = readdirSync(join(record.folder, '..'))
  return [
    ...namespaces.filter((each) =>
      [record.namespace, ...record.hosts.map((host) => host.namespace)].includes(each),
    ),
    ...Object.keys(networkInterfaces()).filter((each) => each === record.link),
    ...mounts.filter((mount) => mount.includes(`${record.folder}/`)),
    ...record.hosts.filter((host) => containerOf(host) !== undefined).map((host) => host.root),
    ...folders.filter((folder) => folder === record.name),
  ]
}

describe('npm run lab', () => {
  afterEach(async () => {
    if (!reason && readRecord(name)) await lab('down')
  }, 60_000)

  onLab('boots hosts, shows them, logs on to one, and takes them away', async () => {
    expect(await lab('up', '--hosts', '2')).toMatchObject({ code: 0 })
    const record = readRecord(name)!
    const status = JSON.parse((await lab('status', '--json')).output) as { hosts: readonly unknown[] }
    expect(status.hosts).toMatchObject([
      { name: 'host-1', up: true, host_key: expect.stringMatching(/^ecdsa-sha2-nistp256 /) },
      { name: 'host-2', up: true },
    ])
    expect(await lab('ssh', 'host-2', 'hostname')).toMatchObject({ code: 0, output: 'host-2\n' })
    expect((await lab('up')).output).toContain('a lab is up already (2 hosts)')
    expect(await lab('down')).toMatchObject({ code: 0 })
    expect(await leftOf(record)).toEqual([])
  })

  onLab('takes away what a killed run has left', async () => {
    const up = spawn(process.execPath, [program, 'up', '--hosts', '2', '--name', name], { stdio: 'ignore' })
    const ended = once(up, 'exit')
    const record = await eventually(
      'a host boots',
      () => {
        const written = readRecord(name)
        return written?.hosts.some((host) => containerOf(host) !== undefined) && written
      },
      120_000,
    )
    up.kill('SIGKILL')
    await ended
    expect((await leftOf(record)).length).toBeGreaterThan(3)
    expect(await lab('down')).toMatchObject({ code: 0 })
    expect(await leftOf(record)).toEqual([])
    expect((await lab('down')).output).toContain('No lab is up.')
  })
})
