import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { LabDeployment } from '../../scripts/lab/deploy.ts'
import type { Fault } from '../../scripts/lab/drills/fault.ts'
import { cutPower } from '../../scripts/lab/drills/power.ts'
import { redisServers } from '../../scripts/lab/drills/redis-servers.ts'
import { holdersOf } from '../../scripts/lab/drills/virtual-ip.ts'
import { layouts } from '../../scripts/lab/environment.ts'
import { ipv6Of, keyFile } from '../../scripts/lab/lab.ts'
import type { HostRecord } from '../../scripts/lab/record.ts'
import { eventually } from '../support/eventually.ts'
import { applied, ask, firstAnswer, startTestLab, type TestLab, whyNoDeployment } from './cluster.ts'
import { seconds } from './drills/drill-lab.ts'
import { note, writeFigures } from './figures.ts'
import { type SshAgent, startSshAgent } from './ssh-agent.ts'

const reason =
  (await whyNoDeployment()) ??
  (process.env.GATEHOUSE_TEST_LAB ? undefined : 'takes minutes: npm run test:lab runs it')
const onLab = (name: string, body: () => Promise<void>) =>
  reason ? test.skip(`${name} (skipped: ${reason})`, body) : test(name, body, 400_000)

/** What is promised with a download of the packages; they lie on the hosts' disks here. */
const longest = 180_000

let testLab: TestLab
let lab: LabDeployment
let agent: SshAgent | undefined
let bastion: HostRecord
let edges: readonly HostRecord[]

beforeAll(async () => {
  if (reason) return
  testLab = await startTestLab(layouts.apart.length + 1, { roles: layouts.apart, virtualIps: 2, ipv6: true })
  lab = testLab.deployment
  edges = lab.lab.hosts.slice(0, 2)
  bastion = lab.lab.hosts.at(-1)!
  agent = await startSshAgent(keyFile(lab.lab))
  await lab.publish()
}, 400_000)

afterAll(async () => {
  await agent?.stop()
  await testLab?.stop()
  writeFigures()
}, 120_000)

/** Who holds each of the virtual IPs, by name. */
const holders = () =>
  Promise.all(
    lab.virtualIps.map(async (address) => (await holdersOf(edges, address)).map(({ name }) => name)),
  )

const answer = { status: 200, body: 'hello' }
/** What each address of clients answers, over IPv4 and IPv6. */
const answers = () =>
  Promise.all(
    lab.virtualIps
      .flatMap((address) => [address, ipv6Of(address)])
      .map((address) => ask(address, testLab.root).catch(({ message }: Error) => `${address}: ${message}`)),
  )

// Two edges, three gateways, six hosts of Redis, and a bastion: each test goes on where the one before ended.
describe('eleven bare hosts', () => {
  onLab('answer over HTTPS by a certificate of ACME, deployed by a bastion and an SSH agent', async () => {
    const from = performance.now()
    const output = await applied(lab, { bastion })
    const deployed = performance.now() - from
    expect(await firstAnswer(testLab)).toEqual(answer)
    const took = performance.now() - from
    note(
      'From bare Debian hosts to the first 200 over HTTPS: 2 edges, 3 gateways, 6 servers of Redis, 11 hosts, ACME',
      'under 180 s; 90 s without package download',
      `${seconds(took)} without package download, ${seconds(deployed)} of them Terraform's`,
    )
    expect(output).toContain('Apply complete!')
    expect(took).toBeLessThan(longest)
  })

  onLab('are not changed by a second run', async () => {
    expect(await applied(lab)).toContain('No changes. Your infrastructure matches the configuration.')
  })

  onLab('hold a server of Redis each where they have that role, three of them primaries', async () => {
    const servers = await redisServers(lab.lab.hosts.slice(5))
    expect(new Set(servers.map(({ host }) => host.name)).size).toBe(6)
    expect(servers.filter(({ role }) => role === 'primary')).toHaveLength(3)
  })

  onLab('let both edges work, each at an address of its own over IPv4 and IPv6', async () => {
    // The second may have come up behind the first one, which then gives it its address after a while.
    await eventually(
      'each edge holds its address',
      async () => JSON.stringify(await holders()) === JSON.stringify([['host-1'], ['host-2']]),
      90_000,
    )
    expect(await answers()).toEqual(Array(4).fill(answer))
  })

  onLab('lose an edge, and the other answers at both addresses', async () => {
    let cut: Fault | undefined
    try {
      cut = await cutPower(lab.lab, edges[0]!)
      const from = performance.now()
      await eventually(
        'the other edge holds both addresses',
        async () => (await holdersOf(edges.slice(1), lab.virtualIps[0]!)).length === 1,
        20_000,
      )
      note(
        'Power cut of one of two edges that both work',
        'the other holds both virtual IPs in under 1 s',
        `after ${seconds(performance.now() - from)}`,
      )
      expect(await answers()).toEqual(Array(4).fill(answer))
    } finally {
      await cut?.undo()
    }
  })
})
