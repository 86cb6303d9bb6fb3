import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Exit, type Program, startProgram } from '../../scripts/process/program.ts'
import { takenPorts } from '../../scripts/start/ports.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/ports.ts'

const root = join(import.meta.dirname, '../..')
const ports = [8080, 8443, 8001, 9090, 9101, 9102]
const programs: Program[] = []

/** `npm start` as a person runs it, on ports that nothing else uses. */
async function start(...args: string[]): Promise<Program> {
  const program = await startProgram({
    name: 'npm start',
    command: ['npm', 'start', '--silent', '--', ...args],
    cwd: root,
    env: { NO_COLOR: '1' },
    ownGroup: true,
  })
  programs.push(program)
  return program
}

/** An offset by which all ports are free. */
async function freeOffset(): Promise<number> {
  for (;;) {
    const offset = (await freePort()) - 9_102
    if (offset > 0 && (await busyPorts(offset)).length === 0) return offset
  }
}

const busyPorts = (offset: number) => takenPorts(ports.map((port) => ({ port: port + offset, what: 'any' })))

const ended = async (program: Program): Promise<Exit & { output: string }> => ({
  ...(await program.exited),
  output: program.output(),
})

afterEach(async () => {
  for (const program of programs.splice(0)) await program.stop({ limit: 20_000 })
})

describe('npm start -- --check', () => {
  test('tries the gateway through real sockets and exits 0', async () => {
    const offset = await freeOffset()
    const { code, output } = await ended(await start('--check', '--port-offset', String(offset)))
    const rows = output.split('\n').filter((line) => /^ {2}[✓✗]/.test(line))
    expect(rows.filter((row) => row.includes('✗'))).toEqual([])
    expect(rows.length).toBeGreaterThanOrEqual(15)
    for (const status of ['TLSv1.3', '404', '429', '502', '503', '504']) {
      expect(rows.some((row) => row.includes(status))).toBe(true)
    }
    expect(code).toBe(0)
    expect(await busyPorts(offset)).toEqual([])
  }, 90_000)
})

describe('npm start', () => {
  test('says which process holds a port that is taken, and how to move all of them', async () => {
    const offset = await freeOffset()
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(8001 + offset, '127.0.0.1', resolve))
    const { code, output } = await ended(await start('--port-offset', String(offset)))
    await new Promise((resolve) => server.close(resolve))
    expect(code).toBe(1)
    expect(output).toContain(`${8001 + offset} (admin API) is taken by`)
    if (process.platform === 'linux') expect(output).toContain(`(process ${process.pid})`)
    expect(output).toMatch(/npm start -- --port-offset \d+/)
  })

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'stops all that it started on %s before it ends',
    async (signal) => {
      const offset = await freeOffset()
      const program = await start('--port-offset', String(offset))
      await eventually('the page', () => program.output().includes('Ctrl-C stops'), 50_000)
      expect(await busyPorts(offset)).toHaveLength(ports.length)
      // npm itself ends by the signal that the whole group was sent, but not before the script has.
      await program.stop({ signal, limit: 20_000 })
      expect(program.output()).toContain('Stop the gateway and the services … ✓')
      expect(await busyPorts(offset)).toEqual([])
    },
    90_000,
  )

  test('refuses an offset that is no number', async () => {
    const { code, output } = await ended(await start('--port-offset', 'many'))
    expect(code).toBe(1)
    expect(output).toContain('--port-offset many: expected a whole number')
  })
})
