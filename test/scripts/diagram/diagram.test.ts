import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { connectionsOf } from '../../../scripts/diagram/connections.ts'
import { drawStack } from '../../../scripts/diagram/draw.ts'
import { readStackGraph } from '../../../scripts/plan/stack-graph.ts'
import { everything } from '../../stacks/policies/everything.ts'

const directory = mkdtempSync(join(tmpdir(), 'gateway-diagram-'))
afterAll(() => rmSync(directory, { recursive: true }))
const file = join(directory, 'cdk.tf.json')
writeFileSync(file, JSON.stringify(everything()))
const graph = readStackGraph('everything', file)

describe('a diagram', () => {
  const svg = drawStack(graph)
  const words = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text)

  test('shows zones, subnets, parts and services', () => {
    expect(words).toEqual(
      expect.arrayContaining([
        'eu-central-1a · public · NAT',
        'eu-central-1c · data',
        'Load balancer',
        'Nodes gatehouse-all',
        'Nodes gatehouse-all-green',
        'Redis (valkey)',
        'Postgres',
        'KMS',
        'Image Builder',
      ]),
    )
  })

  test('draws an arrow for each connection that the firewalls let through', () => {
    const connections = connectionsOf(graph)
    expect(connections).toEqual(
      expect.arrayContaining([
        { from: 'clients', to: 'load-balancer', ports: [80, 443] },
        { from: 'load-balancer', to: 'fleet', ports: [80, 443, 9090] },
        { from: 'green-fleet', to: 'redis', ports: [6379] },
        { from: 'fleet', to: 'database', ports: [5432] },
      ]),
    )
    expect(svg.match(/marker-end/g)).toHaveLength(connections.length)
    expect(words).toContain('TCP 80, 443, 9090')
  })

  test('is a picture without scripts and outside references, and the same every time', () => {
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 \d+ \d+"/)
    expect(svg).not.toMatch(/<script|href=|url\((?!#head)/)
    expect(drawStack(graph)).toBe(svg)
  })

  test('takes names as text', () => {
    const json = JSON.parse(readFileSync(file, 'utf8'))
    const record = Object.values<{ name: string }>(json.resource.aws_route53_record)
    for (const each of record) each.name = '<b>&"'
    writeFileSync(join(directory, 'odd.json'), JSON.stringify(json))
    expect(drawStack(readStackGraph('odd', join(directory, 'odd.json')))).toContain('&lt;b&gt;&amp;&quot;')
  })
})
