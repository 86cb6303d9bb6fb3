import { existsSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { WafEngine } from '../../../../gateway-runtime/src/plugins/waf/engine/waf-engine.ts'

const folder = '/usr/share/modsecurity-crs'
const installed = existsSync(folder)
const skipped = installed ? '' : ' (skipped: the package modsecurity-crs is not installed)'
const withRules = installed ? test : test.skip

const request = (query: string, body = '') => ({
  method: body === '' ? 'GET' : 'POST',
  target: `/items${query}`,
  protocol: 'HTTP/1.1',
  headers: [
    ['Host', 'api.example.com'],
    ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64)'],
    ['Accept', '*/*'],
    ...(body === ''
      ? []
      : [['Content-Type', 'application/json'] as const, ['Content-Length', `${body.length}`] as const]),
  ] as (readonly [string, string])[],
  clientAddress: '198.51.100.7',
  body: Buffer.from(body),
})

describe('the Core Rule Set of the distribution', () => {
  const load = (timeBudget: number) => WafEngine.load(folder, { mode: 'block', paranoiaLevel: 1, timeBudget })

  withRules(`is taken, save for rules that say why not${skipped}`, () => {
    const { report } = load(10_000)
    expect(report.signatures[0]).toMatch(/^OWASP_CRS\//)
    expect(report.rules).toBeGreaterThan(400)
    expect(report.refused.length).toBeLessThan(10)
    for (const { id, reason } of report.refused)
      expect([id, reason]).toEqual([expect.any(Number), expect.any(String)])
  })

  withRules(`refuses attacks and lets ordinary requests pass${skipped}`, () => {
    const engine = load(10_000)
    for (const attack of [
      "1' OR '1'='1",
      '<script>alert(1)</script>',
      '../../../etc/passwd',
      '; cat /etc/passwd',
    ]) {
      expect(engine.inspect(request(`?q=${encodeURIComponent(attack)}`)).blocked).toBe(true)
      expect(engine.inspect(request('', JSON.stringify({ note: attack }))).blocked).toBe(true)
    }
    for (const text of ["O'Brien", 'Select a size from the list', 'Price < 100 & weight > 2 kg']) {
      expect(engine.inspect(request(`?q=${encodeURIComponent(text)}`))).toMatchObject({
        blocked: false,
        score: 0,
      })
    }
  })

  withRules(`refuses answers that tell too much and lets others pass${skipped}`, () => {
    const engine = WafEngine.load(folder, { mode: 'block', timeBudget: 10_000, inspectsResponses: true })
    const answer = (body: string) =>
      engine.inspectResponse(request(''), {
        status: 200,
        protocol: 'HTTP/1.1',
        headers: [['Content-Type', 'text/html']],
        body: Buffer.from(body),
      })
    expect(answer('<p>Hello</p>')).toMatchObject({ blocked: false, hits: [] })
    expect(answer('You have an error in your SQL syntax near')).toMatchObject({ blocked: true, score: 5 })
  })

  withRules(`hostile bodies end in a refusal when the time is up${skipped}`, () => {
    const engine = load(5)
    for (const unit of ['\'"(', 'select or 1 ', '/*', '\\\\u', '<a =', "' or 1=1 --"]) {
      for (const body of [
        JSON.stringify({ a: unit.repeat(1_000_000 / unit.length) }),
        JSON.stringify(
          Array.from({ length: 400 }, (_, index) => `${index}${unit.repeat(2_400 / unit.length)}`),
        ),
      ]) {
        const { blocked, failure } = engine.inspect(request('', body))
        expect(blocked).toBe(true)
        expect(failure?.reason ?? 'time-budget').toBe('time-budget')
      }
    }
  })
})
