import { readFile, writeFile } from 'node:fs/promises'
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

async function startPatient(): Promise<Patient> {
  let isWell = true
  const upstream = await startUpstream((request, response) => {
    if (request.url === '/up') response.writeHead(isWell ? 204 : 500).end()
    else echo(request, response)
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

const active = { path: '/up', interval: '20ms', unhealthy_after: 2, healthy_after: 2 }

async function gatewayFor(targets: readonly Upstream[], more: object = {}): Promise<TestGateway> {
  const gateway = await startGateway({
    config: {
      workers: 2,
      upstreams: [
        { name: 'u', targets: targets.map(({ target }) => ({ target })), healthchecks: { active } },
      ],
      services: [{ name: 's', upstream: 'u' }],
      routes: [{ name: 'r', service: 's', paths: ['/'], strip_path: false }],
      ...more,
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

/** Resolves when the metrics say that a target is in a state; requests keep passing meanwhile. */
const isIn = (gateway: TestGateway, state: string, { target }: Upstream) =>
  eventually(`${target} is ${state}`, async () => {
    await send(gateway, 1)
    const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
    return metrics.includes(
      `gatehouse_upstream_target_health{upstream="u",target="${target}",state="${state}"} 1\n`,
    )
  })

/** How many requests of these each target gets. */
async function shares(gateway: TestGateway, targets: readonly Patient[], count: number): Promise<number[]> {
  const before = targets.map(({ served }) => served)
  await send(gateway, count)
  return targets.map(({ served }, index) => served - before[index]!)
}

test('a target that turns bad is taken out and comes back, and no request notices', async () => {
  const targets = [await startPatient(), await startPatient()] as const
  const [first, second] = targets
  const gateway = await gatewayFor(targets)
  first.isWell = false
  await isIn(gateway, 'unhealthy', first)
  expect(await shares(gateway, targets, 10)).toEqual([0, 10])
  const status = JSON.parse((await gateway.cli('status', '--json')).stdout)
  expect(status.targets).toEqual([
    { upstream: 'u', target: first.target, circuit: 'closed', health: 'unhealthy' },
    { upstream: 'u', target: second.target, circuit: 'closed', health: 'healthy' },
  ])
  expect((await gateway.cli('status')).stdout).toMatch(/HEALTH\n.* unhealthy *\n.* healthy/)
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
  const gateway = await gatewayFor(targets)
  for (const target of targets) target.isWell = false
  for (const target of targets) await isIn(gateway, 'unhealthy', target)
  const [one, other] = await shares(gateway, targets, 20)
  expect(one).toBeGreaterThan(5)
  expect(other).toBeGreaterThan(5)
})

test('a reload keeps what is known of a target', async () => {
  const targets = [await startPatient(), await startPatient()] as const
  const gateway = await gatewayFor(targets)
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
