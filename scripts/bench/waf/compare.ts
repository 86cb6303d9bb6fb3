import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RequestFacts } from '../../../gateway-runtime/src/plugins/waf/engine/request-facts.ts'
import { WafEngine } from '../../../gateway-runtime/src/plugins/waf/engine/waf-engine.ts'
import { findProgram, installPackages } from '../../process/system-programs.ts'
import { cpuTime } from '../process-cost.ts'
import { Skipped } from '../tools.ts'
import { attackCorpus } from './attacks.ts'
import type { CorpusRequest } from './corpus-request.ts'
import { ModSecurity, type ModSecurityOptions } from './modsecurity.ts'
import { ordinaryCorpus } from './ordinary.ts'

const module = '/usr/lib/nginx/modules/ngx_http_modsecurity_module.so'
const rules = '/usr/share/modsecurity-crs'
/** Rules that nginx's own modsecurity.conf has beside the rule set; the gateway's firewall does the same by itself. */
const isOwnRule = (id: number) => id >= 200_000 && id < 201_000

export interface KindResult {
  readonly kind: string
  readonly requests: number
  /** How many of them were refused. */
  readonly modsecurity: number
  readonly gateway: number
}

export interface CpuResult {
  readonly corpus: string
  /** Microseconds a request, beyond what nginx needs without ModSecurity. */
  readonly modsecurity: number
  readonly gateway: number
}

export interface Difference {
  readonly kind: string
  readonly variant: string
  readonly request: string
  readonly onlyModSecurity: readonly number[]
  readonly onlyGateway: readonly number[]
}

export interface WafReport {
  readonly kinds: readonly KindResult[]
  readonly cpu: readonly CpuResult[]
  readonly requests: number
  readonly differences: readonly Difference[]
}

const packages = ['nginx-light', 'libnginx-mod-http-modsecurity', 'modsecurity-crs']

/** Installs what the comparison needs where this user may; throws Skipped elsewhere. */
async function findNginx(): Promise<string> {
  if (!existsSync(module) || !existsSync(rules)) {
    await installPackages(packages).catch((error: Error) => {
      throw new Skipped(error.message)
    })
  }
  const nginx = await findProgram('nginx')
  if (!nginx) throw new Skipped('it needs nginx')
  return nginx
}

/**
 * Sends the same requests through nginx with ModSecurity and through the engine of the plugin waf, both with the
 * distribution's Core Rule Set at paranoia level 1. Throws Skipped where a package is missing.
 */
export async function compareFirewalls(rounds: number): Promise<WafReport> {
  const nginx = await findNginx()
  const directory = await mkdtemp(join(tmpdir(), 'waf-bench-'))
  const start = (mode: ModSecurityOptions['mode']) =>
    ModSecurity.start({ nginx, module, mode, directory: join(directory, mode) })
  try {
    const corpus = [...attackCorpus(), ...ordinaryCorpus()]
    const engine = WafEngine.load(rules, { mode: 'block', paranoiaLevel: 1, timeBudget: 10_000 })
    const audited = await withServer(
      () => start('audit'),
      async (server) => {
        await server.sendAll(corpus)
        return server.matchedRules()
      },
    )
    const statuses = await withServer(
      () => start('block'),
      (server) => server.sendAll(corpus),
    )
    return {
      kinds: byKind(corpus, statuses, engine),
      requests: corpus.length,
      differences: differencesOf(corpus, audited, engine),
      cpu: await cpuOf(start, engine, rounds),
    }
  } finally {
    await rm(directory, { recursive: true })
  }
}

async function withServer<T>(
  start: () => Promise<ModSecurity>,
  use: (server: ModSecurity) => Promise<T>,
): Promise<T> {
  const server = await start()
  try {
    return await use(server)
  } finally {
    await server.stop()
  }
}

const factsOf = ({ method, target, headers, body }: CorpusRequest, index: number): RequestFacts => ({
  method,
  target,
  protocol: 'HTTP/1.1',
  headers: [...headers, ['X-Case', String(index)]],
  clientAddress: '127.0.0.1',
  ...(body !== undefined && { body: Buffer.from(body, 'utf8') }),
})

function byKind(
  corpus: readonly CorpusRequest[],
  statuses: readonly number[],
  engine: WafEngine,
): KindResult[] {
  const kinds = [...new Set(corpus.map(({ kind }) => kind))]
  return kinds.map((kind) => {
    const indices = corpus.flatMap((request, index) => (request.kind === kind ? [index] : []))
    return {
      kind,
      requests: indices.length,
      modsecurity: indices.filter((index) => statuses[index]! >= 400).length,
      gateway: indices.filter((index) => engine.inspect(factsOf(corpus[index]!, index)).blocked).length,
    }
  })
}

function differencesOf(
  corpus: readonly CorpusRequest[],
  audited: ReadonlyMap<number, ReadonlySet<number>>,
  engine: WafEngine,
): Difference[] {
  return corpus.flatMap((request, index) => {
    const theirs = new Set([...(audited.get(index) ?? [])].filter((id) => !isOwnRule(id)))
    const ours = new Set(engine.inspect(factsOf(request, index)).hits.map(({ ruleId }) => ruleId))
    const onlyModSecurity = [...theirs].filter((id) => !ours.has(id))
    const onlyGateway = [...ours].filter((id) => !theirs.has(id))
    if (onlyModSecurity.length + onlyGateway.length === 0) return []
    const { kind, variant, target, body } = request
    return [{ kind, variant, request: (body ?? target).slice(0, 160), onlyModSecurity, onlyGateway }]
  })
}

async function cpuOf(
  start: (mode: ModSecurityOptions['mode']) => Promise<ModSecurity>,
  engine: WafEngine,
  rounds: number,
): Promise<CpuResult[]> {
  const results: CpuResult[] = []
  const off = await start('off')
  const on = await start('block')
  try {
    for (const [corpus, requests] of [
      ['ordinary', ordinaryCorpus()],
      ['attacks', attackCorpus()],
    ] as const) {
      const cost = { off: 0, on: 0, gateway: 0 }
      const facts = requests.map(factsOf)
      for (let warm = 0; warm < 3; warm++) engineCost(engine, facts)
      // One round of each in turn, so that a busy machine is as busy for all; what compiles
      // while it runs has run before.
      for (let round = 0; round <= rounds; round++) {
        const used = {
          off: await serverCost(off, requests),
          on: await serverCost(on, requests),
          gateway: engineCost(engine, facts),
        }
        if (round === 0) continue
        for (const name of ['off', 'on', 'gateway'] as const) cost[name] += used[name] / rounds
      }
      results.push({ corpus, modsecurity: cost.on - cost.off, gateway: cost.gateway })
    }
  } finally {
    await off.stop()
    await on.stop()
  }
  return results
}

async function serverCost(server: ModSecurity, requests: readonly CorpusRequest[]): Promise<number> {
  const before = await cpuTime(server.pid)
  await server.sendAll(requests)
  return ((await cpuTime(server.pid)) - before) / requests.length
}

/** CPU of this thread, in microseconds; nothing else runs meanwhile. */
function engineCost(engine: WafEngine, facts: readonly RequestFacts[]): number {
  const before = process.threadCpuUsage()
  for (const request of facts) engine.inspect(request)
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / facts.length
}
