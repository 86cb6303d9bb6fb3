import { readFile, writeFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { echo, startUpstream, type Upstream } from '../../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

/** An upstream whose health, on /up, is a matter of its own. */
interface Patient extends Upstream {
  isWell: boolean
  /** Requests but for checks. */
  readonly served: number
}

/** `illness`: how it answers requests while it is not well; by default, as ever. */
async function startPatient(illness: RequestListener = echo): Promise<Patient> {
  let isWell = true
  const upstream = await startUpstream((request, response) => {
    if (request.url === '/up') response.writeHead(isWell ? 204 : 500).end()
    else if (isWell) echo(request, response)
    else illness(request, response)
  })
  ended.push(() => upstream.stop())
  return Object.defineProperties(upstream, {
    isWell: {
      get: () => isWell,
      set: (value: boolean) => {
        isWell = value
      },
    },
    served: { get: () => upstream.requests.filter(({ url }) => url !== '/up').length },
  }) as Patient
}

const unavailable: RequestListener = (_, response) => response.writeHead(503).end()
const breaksOff: RequestListener = (_, response) => {
  response.writeHead(200, { 'content-length': 10 })
  response.write('half', () => response.destroy())
}

const active = { path: '/up', interval: '20ms', unhealthy_after: 2, healthy_after: 2 }

async function gatewayFor(targets: readonly Upstream[], healthchecks: object): Promise<TestGateway> {
  const gateway = await startGateway({
    config: {
      workers: 2,
      upstreams: [
        {
          name: 'u',
          targets: targets.map(({ target }) => ({ target })),
          circuit_breaker: { enabled: false },
          healthchecks,
        },
      ],
      services: [{ name: 's', upstream: 'u' }],
      routes: [{ name: 'r', service: 's', paths: ['/'], strip_path: false }],
    },
  })
  ended.push(() => gateway.stop())
  return gateway
}

async function send(gateway: TestGateway, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent++) {
    const answer = await fetch(`${gateway.url}/`)
    expect(answer.status).toBe(200)
    await answer.text()
  }
}

/** Sends a request, however it ends. */
const attempt = async (gateway: TestGateway) => {
  await fetch(`${gateway.url}/`)
    .then((answer) => answer.text())
    .catch(() => {})
}

/** Resolves when the metrics say that a target is in a state; requests keep coming meanwhile, and pass by default. */
const isIn = (
  gateway: TestGateway,
  state: string,
  { target }: Upstream,
  request = () => send(gateway, 1),
): Promise<true> =>
  eventually(`${target} is ${state}`, async () => {
    await request()
    const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
    return metrics.includes(
      `gatehouse_upstream_target_health{upstream="u",target="${target}",state="${state}"} 1\n`,
    )
  })

/** What the metrics say of how often a target was ejected. */
async function ejectionsOf(gateway: TestGateway, { target }: Upstream): Promise<number> {
  const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
  const name = 'gatehouse_upstream_target_ejections_total'
  return Number(metrics.split(`${name}{upstream="u",target="${target}"} `)[1]?.split('\n')[0])
}

/** How many requests of these each target gets. */
async function shares(gateway: TestGateway, targets: readonly Patient[], count: number): Promise<number[]> {
  const before = targets.map(({ served }) => served)
  await send(gateway, count)
  return targets.map(({ served }, index) => served - before[index]!)
}

test('a target that turns bad is taken out and comes back, and no request notices', async () => {
  const targets = [await startPatient(), await startPatient()] as const
  const [first, second] = targets
  const gateway = await gatewayFor(targets, { active })
  first.isWell = false
  await isIn(gateway, 'unhealthy', first)
  expect(await shares(gateway, targets, 10)).toEqual([0, 10])
  const status = JSON.parse((await gateway.cli('status', '--json')).stdout)
  expect(status.targets).toEqual([
    { upstream: 'u', target: first.target, circuit: 'closed', health: 'unhealthy' },
    { upstream: 'u', target: second.target, circuit: 'closed', health: 'healthy' },
  ])
  expect((await gateway.cli('status')).stdout).toMatch(/HEALTH .*\n.* unhealthy *\n.* healthy/)
  first.isWell = true
  await isIn(gateway, 'healthy', first)
  const [share] = await shares(gateway, targets, 20)
  expect(share).toBeGreaterThan(5)
  const lines = await eventually('both lines of the log', async () => {
    const found = (await gateway.errorLog()).split('\n').filter((line) => / target (un)?healthy /.test(line))
    return found.length === 2 && found
  })
  expect(lines[0]).toContain(
    `error target unhealthy upstream=u target=${first.target} check=http reason="status 500"`,
  )
  expect(lines[1]).toContain(`info target healthy upstream=u target=${first.target} check=http reason=`)
})

test('where all are bad, the checks are not believed', async () => {
  const targets = [await startPatient(), await startPatient()] as const
  const gateway = await gatewayFor(targets, { active })
  for (const target of targets) target.isWell = false
  for (const target of targets) await isIn(gateway, 'unhealthy', target)
  const [one, other] = await shares(gateway, targets, 20)
  expect(one).toBeGreaterThan(5)
  expect(other).toBeGreaterThan(5)
})

test('a reload keeps what is known of a target', async () => {
  const targets = [await startPatient(), await startPatient()] as const
  const gateway = await gatewayFor(targets, { active })
  targets[0].isWell = false
  await isIn(gateway, 'unhealthy', targets[0])
  const file = join(gateway.configDirectory, 'config.yaml')
  const text = await readFile(file, 'utf8')
  // The next check of this target would be in an hour.
  await writeFile(file, text.replace('interval: 20ms', 'interval: 1h').replace('name: r', 'name: renamed'))
  await eventually('the reload', async () => {
    await send(gateway, 1)
    return (await gateway.accessLog()).some(({ route }) => route === 'renamed')
  })
  expect(await shares(gateway, targets, 10)).toEqual([0, 10])
})

const passive = { window: '10s', minimum_requests: 5, ejection_time: '1h' }

test('a target that fails half of its requests is ejected', async () => {
  const targets = [await startPatient(unavailable), await startPatient()] as const
  const [first] = targets
  const gateway = await gatewayFor(targets, { passive })
  first.isWell = false
  await isIn(gateway, 'ejected', first, () => attempt(gateway))
  expect(await shares(gateway, targets, 10)).toEqual([0, 10])
  expect(await ejectionsOf(gateway, first)).toBe(1)
  await eventually('the line of the log', async () =>
    / error target ejected upstream=u .* requests failed" duration="3600000 ms"\n/.test(
      await gateway.errorLog(),
    ),
  )
})

test('a target that was ejected comes back by itself', async () => {
  const targets = [await startPatient(unavailable), await startPatient()] as const
  const [first] = targets
  const gateway = await gatewayFor(targets, { passive: { ...passive, ejection_time: '1ms' } })
  first.isWell = false
  await eventually('an ejection', async () => {
    await attempt(gateway)
    return (await ejectionsOf(gateway, first)) > 0
  })
  first.isWell = true
  await eventually('its share of the requests', async () => (await shares(gateway, targets, 20))[0]! > 5)
  await eventually('the line of the log', async () =>
    / info target readmitted upstream=u target=/.test(await gateway.errorLog()),
  )
})

test('an answer that breaks off counts as one request that failed', async () => {
  const targets = [await startPatient(breaksOff), await startPatient()] as const
  const gateway = await gatewayFor(targets, {
    passive: { ...passive, failure_percent: 100 },
  })
  targets[0].isWell = false
  await isIn(gateway, 'ejected', targets[0], () => attempt(gateway))
  const reason = await eventually('the line of the log', async () =>
    /target ejected .* reason="(\d+) of (\d+) requests failed"/.exec(await gateway.errorLog()),
  )
  expect(reason[1]).toBe(reason[2])
})
