import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { readPrices } from '../../../scripts/plan/prices.ts'
import { type Plan, planOf, renderPlan } from '../../../scripts/plan/report.ts'
import { readStackGraph } from '../../../scripts/plan/stack-graph.ts'
import { synthesizeEnvironments } from '../../../scripts/synth/synthesize.ts'

const root = join(import.meta.dirname, '../../..')
const outdir = mkdtempSync(join(tmpdir(), 'gateway-plan-test-'))
afterAll(() => rmSync(outdir, { recursive: true }))
const [production] = synthesizeEnvironments({ outdir, names: ['production'] })
const graph = readStackGraph('production', production!.file)
const prices = readPrices()
const part = (plan: Plan, title: string) => plan.parts.find((each) => each.title === title)!

describe('planOf', () => {
  const plan = planOf(graph, prices)

  test('holds every resource once', () => {
    const counted = plan.parts.flatMap(({ resources }) => Object.values(resources))
    expect(counted.reduce((total, each) => total + each, 0)).toBe(graph.resources.length)
    expect(plan.resources).toBe([...production!.counts.values()].reduce((total, each) => total + each, 0))
  })

  test('says what each part is', () => {
    expect(part(plan, 'Nodes').what).toBe('3 to 12 × c7gd.xlarge or c6gd.xlarge')
    expect(part(plan, 'Redis').what).toBe('3 shards × 3 copies on cache.r7g.large (valkey)')
    expect(part(plan, 'Network').what).toContain('no way out but endpoints, 10 endpoints')
  })

  test('bounds the cost: the fewest and cheapest nodes, and the most and dearest', () => {
    const { instances, instance_monitoring: monitoring, volume_gib: gib } = prices
    const each = monitoring + 16 * gib
    const { cost } = part(plan, 'Nodes')
    expect(cost.least).toBeCloseTo(3 * (instances['c6gd.xlarge']! * 730 + each) + 0.1)
    expect(cost.most).toBeCloseTo(12 * (instances['c7gd.xlarge']! * 730 + each) + 0.1)
    expect(part(plan, 'Redis').cost.least).toBeCloseTo(
      9 * prices.redis_nodes['cache.r7g.large']! * 0.8 * 730 + 24 * prices.alarm,
    )
    expect(plan.cost.least).toBeLessThan(plan.cost.most)
  })

  test('names what has no price, in place of a bound that is wrong', () => {
    const without = planOf(graph, { ...prices, instances: { 'c6gd.xlarge': 0.1752 }, redis_nodes: {} })
    expect(without.cost.unknown).toEqual(['c7gd.xlarge', 'cache.r7g.large'])
    expect(renderPlan(without, prices)).toContain('cache.r7g.large: not in the price table, and in no bound')
  })

  test('tells of quotas that a new account runs into, and of images that lack packages', () => {
    expect(plan.notes).toEqual([
      expect.stringContaining('plain Debian, which reaches no mirror'),
      expect.stringContaining('up to 60 vCPUs'),
    ])
  })

  test('says when prices are those of another region', () => {
    expect(renderPlan(plan, prices)).not.toContain('those of')
    expect(renderPlan({ ...plan, region: 'us-east-1' }, prices)).toContain(
      'of eu-central-1; those of us-east-1 differ',
    )
  })
})

describe('npm run plan', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, ['scripts/plan.ts', ...args], {
      cwd: root,
      encoding: 'utf8',
      env: { PATH: '/nonexistent', HOME: outdir, NO_COLOR: '1' },
    })

  test('needs neither Terraform nor credentials', () => {
    const { status, stdout, stderr } = run('staging')
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^ {2}staging in eu-central-1\n\n {2}part +resources +a month +what\n/)
    expect(stdout).toMatch(/\(all\) +\d+ +\$\d+ to [\d,]+\n/)
  })

  test('prints for programs', () => {
    const { plans } = JSON.parse(run('staging', '--json').stdout)
    expect(plans).toEqual([expect.objectContaining({ stack: 'staging', region: 'eu-central-1' })])
  })

  test('says when an environment is not on AWS', () => {
    expect(run('local')).toMatchObject({ status: 1, stderr: 'plan: none of these is on AWS: local\n' })
  })
})
