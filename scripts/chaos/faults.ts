import { attackSlowly, floodWithSyn } from '../lab/drills/attacks.ts'
import { giveClock } from '../lab/drills/clock.ts'
import type { Fault } from '../lab/drills/fault.ts'
import { cutFromEdges, cutFromRedis } from '../lab/drills/firewall.ts'
import { type Impairment, impairLink, shrinkPackets, unplug } from '../lab/drills/link.ts'
import { cutPower } from '../lab/drills/power.ts'
import { holdRedisDown, killRedis } from '../lab/drills/redis-servers.ts'
import { exhaustFiles, fillLogDisk, hangGateway, killGateway } from '../lab/drills/resources.ts'
import { endWorker, exposeWorkers, type WorkerEnd } from '../lab/drills/workers.ts'
import { doOnHost } from '../lab/host.ts'
import type { HostRecord, LabRecord } from '../lab/record.ts'

export interface Victim {
  readonly lab: LabRecord
  readonly host: HostRecord
  /** What clients use. */
  readonly virtualIp: string
  readonly seed: number
}

/** How many requests may fail: those under way at some time from the fault's beginning until so long (ms) after it. */
export interface Permission {
  readonly requests: number
  readonly within: number
}

export interface Chaos {
  /** For people: what is done to the host. */
  readonly title: string
  /** Shortest and longest time, in milliseconds, until it is taken back. */
  readonly lasting: readonly [number, number]
  readonly permits: Permission
  /** How often the virtual IP may move because of it: away, and back. */
  readonly moves: number
  make(victim: Victim): Promise<Fault>
}

const none: Permission = { requests: 0, within: 0 }
/** Requests of all clients that are under way at once. */
export const clients = 6
/** Those that the host had in its hands. */
const inFlight: Permission = { requests: clients, within: 1_000 }
/** What comes until the balancer has taken a node off, and the other edge has taken the address: the promise is 2 s. */
const untilOff: Permission = { requests: 3 * clients, within: 3_000 }

const over: Fault = { undo: async () => {} }
/** What is over when it is done. */
const once = (work: (victim: Victim) => Promise<unknown>) => async (victim: Victim) => {
  await work(victim)
  return over
}
const harmless = { permits: none, moves: 0 } as const
const instant = [500, 1_000] as const
const some = [2_000, 6_000] as const
/** Ends one worker of two; how long it lasts is the time in which another takes its place. */
const workerEnded = (title: string, end: WorkerEnd): Chaos => ({
  title,
  lasting: [2_000, 3_000],
  permits: { requests: clients, within: 20_000 },
  moves: 0,
  make: async ({ host }) => {
    const exposed = await exposeWorkers(host)
    await endWorker(host, end)
    return exposed
  },
})
const impaired = (title: string, impairment: Impairment): Chaos => ({
  ...harmless,
  title,
  lasting: some,
  make: ({ lab, host, seed }) => impairLink(lab, host, { ...impairment, seed }),
})

/** All that is done to a cluster, with what is promised of it; docs/reliability.md has a drill of each. */
export const faultKinds = {
  'gateway-reload': {
    ...harmless,
    title: 'reload of the gateway',
    lasting: instant,
    make: once(({ host }) => doOnHost(host, 'systemctl reload gateway-service')),
  },
  'gateway-restart': {
    ...harmless,
    title: 'the gateway stopped and started',
    lasting: instant,
    make: once(({ host }) =>
      doOnHost(host, 'systemctl stop gateway-service && systemctl start gateway-service'),
    ),
  },
  'gateway-kill': {
    title: 'kill -9 of the gateway',
    lasting: [2_000, 3_000],
    permits: inFlight,
    moves: 0,
    make: once(({ host }) => killGateway(host)),
  },
  'gateway-hang': {
    title: 'the gateway hangs',
    lasting: [1_000, 4_000],
    permits: untilOff,
    moves: 0,
    make: ({ host }) => hangGateway(host),
  },
  'worker-exit': workerEnded('a worker of the gateway ended', 'exit'),
  'worker-heap': workerEnded('the heap of a worker full', 'heap'),
  'clock-jump': {
    ...harmless,
    title: 'the clock of the gateway a day ahead',
    lasting: some,
    make: async ({ host }) => {
      const clock = await giveClock(host)
      await clock.set(86_400)
      return clock
    },
  },
  'files-exhausted': {
    ...harmless,
    title: 'file descriptors of the gateway exhausted',
    lasting: some,
    make: ({ host }) => exhaustFiles(host),
  },
  'balancer-reload': {
    ...harmless,
    title: 'reload of the balancer',
    lasting: instant,
    make: once(({ host }) => doOnHost(host, 'systemctl reload haproxy')),
  },
  'redis-kill': {
    ...harmless,
    title: 'kill -9 of the servers of Redis',
    lasting: instant,
    make: once(({ host }) => killRedis(host)),
  },
  'redis-down': {
    ...harmless,
    title: 'the servers of Redis down',
    lasting: some,
    make: ({ host }) => holdRedisDown(host),
  },
  'redis-cut': {
    ...harmless,
    title: 'the gateway cut off from Redis',
    lasting: some,
    make: ({ host }) => cutFromRedis(host),
  },
  'power-cut': {
    title: 'no power',
    lasting: some,
    permits: untilOff,
    moves: 2,
    make: ({ lab, host }) => cutPower(lab, host),
  },
  'cable-pulled': {
    title: 'the cable pulled',
    lasting: some,
    permits: untilOff,
    moves: 2,
    make: ({ lab, host }) => unplug(lab, host),
  },
  'edges-apart': {
    title: 'cut off from the other edges, alive',
    lasting: some,
    permits: { requests: 2 * clients, within: 6_000 },
    moves: 2,
    make: ({ host }) => cutFromEdges(host),
  },
  'packets-lost': impaired('5 % of packets lost', { loss: 0.05 }),
  'packets-late': impaired('packets 100 ms late', { delay: 100 }),
  'packets-twice': impaired('10 % of packets twice', { duplicate: 0.1 }),
  'packets-in-disorder': impaired('25 % of packets overtake others', { delay: 10, reorder: 0.25 }),
  'packets-small': {
    ...harmless,
    title: 'packets of 1,280 bytes at most',
    lasting: some,
    make: ({ host }) => shrinkPackets(host, 1_280),
  },
  'disk-full': {
    ...harmless,
    title: 'the log disk full',
    lasting: some,
    make: ({ host }) => fillLogDisk(host),
  },
  'slow-clients': {
    ...harmless,
    title: '200 slow clients',
    lasting: some,
    make: ({ virtualIp }) => attackSlowly(virtualIp, 200),
  },
  'syn-flood': {
    ...harmless,
    title: '8,000 half-open connections',
    lasting: [2_000, 4_000],
    make: ({ lab, host, virtualIp }) =>
      floodWithSyn(lab, host, virtualIp, { count: 8_000, perSecond: 4_000 }),
  },
} as const satisfies Record<string, Chaos>

export type FaultKind = keyof typeof faultKinds
