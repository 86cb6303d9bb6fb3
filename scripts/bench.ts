import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { benchChanges, changesTable } from './bench/changes.ts'
import { chart } from './bench/chart.ts'
import { benchInGroups } from './bench/groups.ts'
import { markdown } from './bench/markdown.ts'
import { nginxCache } from './bench/peers/nginx.ts'
import { peers, peersNamed } from './bench/peers.ts'
import { cachePeers, ordinaryPeers, pluginPeers, withoutPlugins } from './bench/plugins.ts'
import { reloadPeers, steady } from './bench/reload.ts'
import { differenceTable, figureTable, type Report, ratioTable, remarks } from './bench/report.ts'
import { benchRouter, routerTable } from './bench/router.ts'
import { type Scenario, scenarioNamed, scenarios } from './bench/scenarios.ts'
import { benchStart, startTable } from './bench/start.ts'
import { findTools, Skipped } from './bench/tools.ts'
import { compareFirewalls } from './bench/waf/compare.ts'
import { costTable, detectionTable, ruleTable } from './bench/waf/report.ts'
import { buildGateway } from './build/bundle.ts'
import { root } from './process/tool.ts'
import { step } from './terminal/progress.ts'
import { table } from './terminal/table.ts'

const usage = `npm run bench [-- OPTIONS]

  Runs the gateway and other proxies in turn on the same core, with the same work, and compares what a request costs.

  --scenario NAME  what the proxies are asked to do; small
${scenarios.map(({ name, title }) => `                     ${name.padEnd(16)} ${title}`).join('\n')}
  --all            every scenario, one after another
  --peers LIST     of ${peers.map(({ name }) => name).join(',')}; all that are there
  --rounds N       measured rounds for each; 5
  --seconds S      length of a round; 4
  --json           print JSON; with --all, an array
  --write          also write NAME.md, NAME.json and NAME.svg to docs/benchmarks
  --profile DIR    leave a CPU profile of each of the gateway's threads there
  --plugins        only compare the gateway with each of its plugins to the gateway without any; writes plugins-each
  --router         only compare the router with 100,000 routes to one with ten; needs no nginx
  --start          only measure how long a start takes; needs no nginx
  --changes        only measure how long a change takes until it is in force; needs no nginx
  --waf            only compare the firewall with nginx and ModSecurity
`

const { values } = parseArgs({
  options: {
    scenario: { type: 'string' },
    all: { type: 'boolean', default: false },
    peers: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    profile: { type: 'string' },
    router: { type: 'boolean', default: false },
    plugins: { type: 'boolean', default: false },
    start: { type: 'boolean', default: false },
    changes: { type: 'boolean', default: false },
    waf: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

function wholeNumber(option: 'rounds' | 'seconds', max: number): number {
  const value = Number(values[option])
  if (Number.isInteger(value) && value >= 1 && value <= max) return value
  throw new Error(`--${option} ${values[option]}: expected a whole number from 1 to ${max}`)
}

function chosenScenarios(): readonly Scenario[] {
  if (values.plugins) {
    const title = 'small answers with each plugin, beside the gateway without any'
    return [{ ...scenarioNamed('plugins'), name: 'plugins-each', title, credentials: true }]
  }
  if (!values.all) return [scenarioNamed(values.scenario ?? 'small')]
  if (values.scenario) throw new Error('--all and --scenario: expected one of them')
  return scenarios
}

const printJson = (value: unknown) => process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)

function print(report: Report): void {
  process.stdout.write(`\n${report.scenario.name}: ${report.scenario.title}\n\n`)
  const compared = report.scenario.apiKey ? differenceTable(report) : ratioTable(report)
  for (const { head, rows } of [figureTable(report), compared]) {
    if (rows.length > 0) process.stdout.write(`${table(head, rows)}\n`)
  }
  for (const remark of remarks(report)) process.stdout.write(`${remark}\n`)
}

async function write(report: Report): Promise<void> {
  const directory = join(root, 'docs/benchmarks')
  await mkdir(directory, { recursive: true })
  const file = join(directory, report.scenario.name)
  await writeFile(`${file}.md`, markdown(report))
  await writeFile(`${file}.json`, `${JSON.stringify(report, null, 2)}\n`)
  await writeFile(`${file}.svg`, chart(report))
}

async function compareProxies(rounds: number, seconds: number): Promise<void> {
  const chosen = chosenScenarios()
  const comparedIn = ({ apiKey, reloads, cached }: Scenario) => {
    if (values.plugins) return { peers: pluginPeers, base: withoutPlugins.name }
    if (apiKey) return { peers: ordinaryPeers, base: withoutPlugins.name }
    if (cached) return { peers: cachePeers, base: nginxCache.name }
    if (reloads) return { peers: reloadPeers, base: steady.name }
    return { peers: values.peers === undefined ? peers : peersNamed(values.peers), base: 'nginx' }
  }
  const tools = await findTools()
  await step('Build the gateway', buildGateway)
  const reports: Report[] = []
  for (const scenario of chosen) {
    try {
      const report = await benchInGroups({
        tools,
        scenario,
        ...comparedIn(scenario),
        rounds,
        seconds,
        ...(values.profile && { profileDirectory: values.profile }),
        onRound: (round, { name }) =>
          process.stderr.write(`  ${scenario.name}, round ${round} of ${rounds}: ${name}\n`),
      })
      reports.push(report)
      if (!values.json) print(report)
      if (values.write) await write(report)
      if (report.failed.length > 0) process.exitCode = 1
    } catch (error) {
      if (!(error instanceof Skipped)) throw error
      process.stderr.write(`skipped ${scenario.name}: ${error.message}\n`)
    }
  }
  if (values.json) printJson(values.all ? reports : reports[0])
}

async function compareWafs(rounds: number): Promise<void> {
  const report = await step('Compare the firewalls', () => compareFirewalls(rounds))
  if (values.json) {
    printJson(report)
    return
  }
  for (const { head, rows } of [detectionTable(report), costTable(report), ruleTable(report)]) {
    process.stdout.write(`\n${table(head, rows)}\n`)
  }
  const agree = report.requests - report.differences.length
  process.stdout.write(`\nThe same rules matched for ${agree} of ${report.requests} requests.\n`)
}

async function measureStart(rounds: number): Promise<void> {
  await step('Build the gateway', buildGateway)
  const figures = await step('Start it', () => benchStart(rounds))
  const { head, rows } = startTable(figures)
  if (values.json) printJson(figures)
  else process.stdout.write(`\n${table(head, rows)}\n`)
}

async function measureChanges(rounds: number): Promise<void> {
  await step('Build the gateway', buildGateway)
  const figures = await step('Change its configuration', () => benchChanges(rounds))
  const { head, rows } = changesTable(figures)
  if (values.json) printJson(figures)
  else process.stdout.write(`\n${table(head, rows)}\n`)
}

async function main(): Promise<void> {
  const rounds = wholeNumber('rounds', 100)
  const seconds = wholeNumber('seconds', 600)
  if (values.waf) return compareWafs(rounds)
  if (values.start) return measureStart(rounds)
  if (values.changes) return measureChanges(rounds)
  if (!values.router) return compareProxies(rounds, seconds)
  const report = await step('Compare the router', () => benchRouter(rounds))
  const { head, rows } = routerTable(report)
  if (values.json) printJson(report)
  else process.stdout.write(`\n${table(head, rows)}\n`)
}

try {
  if (values.help) process.stdout.write(usage)
  else await main()
} catch (error) {
  if (error instanceof Skipped) process.stdout.write(`skipped: ${error.message}\n`)
  else {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 1
  }
}
