import { once } from 'node:events'
import { createServer as createHttpServer, type ServerResponse } from 'node:http'
import type { Server } from 'node:net'
import { compile } from '@gatehouse/gateway-runtime/config'
import { afterEach, expect, test } from '@jest/globals'
import { ActiveChecks } from '../../../../gateway-runtime/src/control-plane/health-checks/active-checks.ts'
import { SharedMemoryAllocator } from '../../../../gateway-runtime/src/control-plane/shared-memory.ts'
import { TargetHealth } from '../../../../gateway-runtime/src/data-plane/upstreams/health.ts'
import type { Fields, Level } from '../../../../gateway-runtime/src/telemetry/error-log.ts'
import { asYaml, load } from '../../config/configurations.ts'
import { rawServer, startedServers } from './servers.ts'

const servers = startedServers()
const running: ActiveChecks[] = []
afterEach(async () => {
  for (const checks of running.splice(0)) await checks.stop()
  await servers.stopAll()
})

const quick = { interval: '5ms', timeout: '2s', unhealthy_after: 3, healthy_after: 2 }
const snapshotOf = (targets: readonly { port: number }[], active: object | undefined, limits: object = {}) =>
  compile(
    load(
      asYaml({
        limits,
        upstreams: [
          {
            name: 'u',
            targets: targets.map(({ port }) => ({ target: `127.0.0.1:${port}` })),
            healthchecks: { active: active && { ...quick, ...active } },
          },
        ],
      }),
    ),
  )

/** Active checks with the memory that they write and the lines that they log. */
function activeChecks() {
  const lines: { level: Level; event: string; fields: Fields }[] = []
  const waiting: (() => void)[] = []
  const memory = new SharedMemoryAllocator(1)
  const checks = new ActiveChecks(memory, {
    write: (level, event, fields = {}) => {
      lines.push({ level, event, fields })
      for (const tell of waiting.splice(0)) tell()
    },
  })
  running.push(checks)
  return {
    checks,
    lines,
    apply: (snapshot: ReturnType<typeof snapshotOf>) => {
      memory.prepare(snapshot)
      checks.apply(snapshot)
    },
    /** Resolves with the next line of the log. */
    nextLine: async () => {
      await new Promise<void>((resolve) => waiting.push(resolve))
      return lines.at(-1)!
    },
    health: ({ id }: { id: string }) => new TargetHealth(memory.targets.get(id)!),
    changes: () => new Int32Array(memory.forWorker(0).healthChanges)[0],
  }
}

/** A server that answers with `status`, and counts what it is asked. */
function statusServer(status = 200) {
  const subject = { status, requests: 0, server: undefined as unknown as Server }
  subject.server = createHttpServer((_, response) => {
    subject.requests++
    response.writeHead(subject.status).end()
  })
  return subject
}

test('a target that fails so often in a row is unhealthy, and healthy again after as many successes', async () => {
  const subject = statusServer(503)
  const target = await servers.start(subject.server)
  const { apply, nextLine, health, changes, lines } = activeChecks()
  apply(snapshotOf([target], {}))
  expect(health(target).state).toBe('healthy')
  const authority = `127.0.0.1:${target.port}`
  expect(await nextLine()).toEqual({
    level: 'error',
    event: 'target unhealthy',
    fields: { upstream: 'u', target: authority, check: 'http', reason: 'status 503' },
  })
  expect([subject.requests, health(target).state, changes()]).toEqual([3, 'unhealthy', 1])
  subject.status = 200
  expect(await nextLine()).toEqual({
    level: 'info',
    event: 'target healthy',
    fields: { upstream: 'u', target: authority, check: 'http', reason: 'passed 2 in a row' },
  })
  expect([health(target).state, changes(), lines.length]).toEqual(['healthy', 2, 2])
})

test('a target that does not answer in time is unhealthy, and no connection to it is left', async () => {
  const { server, next } = rawServer(undefined)
  const target = await servers.start(server)
  const { apply, nextLine } = activeChecks()
  const connection = next()
  apply(snapshotOf([target], { timeout: '20ms', unhealthy_after: 1 }))
  const socket = await connection
  const closed = once(socket, 'close')
  expect((await nextLine()).fields.reason).toBe('no answer within 20 ms')
  await closed
})

test('no more checks run at once than the limit says', async () => {
  const held: ServerResponse[] = []
  let most = 0
  const holding = () =>
    createHttpServer((_, response) => {
      most = Math.max(most, held.push(response))
      if (held.length === 2) setImmediate(() => held.splice(0).map((each) => each.writeHead(500).end()))
    })
  const targets = await Promise.all(Array.from({ length: 6 }, () => servers.start(holding())))
  const { apply, nextLine } = activeChecks()
  apply(snapshotOf(targets, { interval: '1ms' }, { health_checks: 2 }))
  for (const _ of targets) await nextLine()
  expect(most).toBe(2)
})

test('a reload keeps what is known of targets that stay, and stops asking those that go', async () => {
  const [bad, good] = [statusServer(500), statusServer(200)]
  const badTarget = await servers.start(bad.server)
  const goodTarget = await servers.start(good.server)
  const { apply, nextLine, health, lines } = activeChecks()
  apply(snapshotOf([badTarget, goodTarget], {}))
  await nextLine()
  apply(snapshotOf([badTarget], {}))
  expect(health(badTarget).state).toBe('unhealthy')
  apply(snapshotOf([badTarget], { unhealthy_after: 7 }))
  expect(health(badTarget).state).toBe('unhealthy')
  const asked = good.requests
  bad.status = 200
  expect((await nextLine()).event).toBe('target healthy')
  expect(good.requests - asked).toBeLessThanOrEqual(1) // one may have been under way
  expect(lines).toHaveLength(2)
})

test('a reload that does not concern a check leaves it alone, even while it is under way', async () => {
  const held: ServerResponse[] = []
  const server = createHttpServer((_, response) => void held.push(response))
  const asked = once(server, 'request')
  const target = await servers.start(server)
  const { apply, nextLine } = activeChecks()
  const settings = { unhealthy_after: 1, timeout: '1h' }
  apply(snapshotOf([target], settings))
  await asked
  apply(snapshotOf([target], settings, { header_count: 50 }))
  const line = nextLine()
  held[0]!.writeHead(418).end()
  expect((await line).fields.reason).toBe('status 418')
})

test('a target that is checked no longer counts as healthy', async () => {
  const target = await servers.start(statusServer(500).server)
  const { apply, nextLine, health, changes } = activeChecks()
  apply(snapshotOf([target], {}))
  await nextLine()
  apply(snapshotOf([target], undefined))
  expect([health(target).state, changes()]).toEqual(['healthy', 2])
})

test('after stop nothing is asked, and what was under way is closed', async () => {
  const { server, next } = rawServer(undefined)
  const target = await servers.start(server)
  const { apply, checks, lines } = activeChecks()
  const connection = next()
  apply(snapshotOf([target], { unhealthy_after: 1, timeout: '1h' }))
  const socket = await connection
  const closed = once(socket, 'close')
  await checks.stop()
  await closed
  apply(snapshotOf([target], {}))
  let connections = 0
  server.on('connection', () => connections++)
  await checks.stop()
  expect([lines.length, connections]).toEqual([0, 0])
})
