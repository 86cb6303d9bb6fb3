import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { RequestFacts } from '../../../../gateway-runtime/src/plugins/waf/engine/request-facts.ts'
import type { WafSettings } from '../../../../gateway-runtime/src/plugins/waf/engine/settings.ts'
import { WafEngine } from '../../../../gateway-runtime/src/plugins/waf/engine/waf-engine.ts'

/** Rules of the test's own, in the manner of the Core Rule Set. */
const rules = String.raw`
SecComponentSignature "TEST/1.0"
SecDefaultAction "phase:1,log,pass"
SecDefaultAction "phase:2,log,pass"
SecRule &TX:paranoia_level "@eq 0" "id:1,phase:1,pass,nolog,setvar:'tx.paranoia_level=1'"
SecRule &TX:inbound_anomaly_score_threshold "@eq 0" \
    "id:2,phase:1,pass,nolog,setvar:'tx.inbound_anomaly_score_threshold=5'"
SecAction "id:3,phase:1,pass,nolog,setvar:tx.anomaly_score=0"
SecRule ARGS|!ARGS:/^free/|ARGS_NAMES "@rx (?i)union\s+select" \
    "id:100,phase:2,block,capture,t:none,t:urlDecodeUni,t:replaceComments,msg:'Union %{TX.0}',\
    severity:'CRITICAL',tag:'attack-sqli',setvar:'tx.anomaly_score=+5'"
SecRule ARGS "@pm xp_cmdshell sp_password" \
    "id:101,phase:2,block,t:none,t:lowercase,msg:'Phrase',severity:'WARNING',tag:'attack-sqli',\
    setvar:'tx.anomaly_score=+3'"
SecRule REQUEST_METHOD "@streq POST" "id:102,phase:2,block,t:none,msg:'Chained',severity:'NOTICE',chain"
  SecRule &REQUEST_HEADERS:X-Token "@eq 0" "setvar:'tx.anomaly_score=+2'"
SecRule TX:paranoia_level "@lt 2" "id:103,phase:2,pass,nolog,skipAfter:END-STRICT"
SecRule ARGS "@contains strict" "id:104,phase:2,block,t:none,msg:'Strict',setvar:'tx.anomaly_score=+5'"
SecMarker END-STRICT
SecRule REQUEST_HEADERS:Host "@ipMatch 127.0.0.0/8" "id:105,phase:1,block,t:none,msg:'Host',setvar:'tx.anomaly_score=+3'"
SecRule ARGS "@detectSQLi" "id:106,phase:2,block,t:none,msg:'libinjection',setvar:'tx.anomaly_score=+5'"
SecRule XML:/* "@contains evil" "id:107,phase:2,block,t:none,msg:'XML',setvar:'tx.anomaly_score=+5'"
SecRule FILES "@endsWith .php" "id:108,phase:2,block,t:none,msg:'File',setvar:'tx.anomaly_score=+5'"
SecRule ARGS "@rx (?=a)b" "id:109,phase:2,block"
SecRule ARGS "@geoLookup" "id:110,phase:2,block"
SecRule REMOTE_ADDR "@ipMatch 192.0.2.1" "id:111,phase:1,pass,nolog,ctl:ruleRemoveTargetById=100;ARGS:q"
SecRule TX:anomaly_score "@ge %{tx.inbound_anomaly_score_threshold}" "id:900,phase:2,deny,msg:'Score %{tx.anomaly_score}'"
`

const folder = mkdtempSync(join(tmpdir(), 'waf-rules-'))
beforeAll(() => writeFileSync(join(folder, 'rules.conf'), rules))
afterAll(() => rmSync(folder, { recursive: true }))

const load = (settings: Partial<WafSettings> = {}) =>
  WafEngine.load(folder, { mode: 'block', timeBudget: 10_000, ...settings })

const request = (target: string, facts: Partial<RequestFacts> = {}): RequestFacts => ({
  method: 'GET',
  target,
  protocol: 'HTTP/1.1',
  headers: [['Host', 'example.com']],
  clientAddress: '198.51.100.7',
  ...facts,
})

const posted = (type: string, body: string): RequestFacts =>
  request('/', {
    method: 'POST',
    headers: [
      ['Content-Type', type],
      ['X-Token', '1'],
    ],
    body: Buffer.from(body),
  })

const ids = (engine: WafEngine, facts: RequestFacts) => engine.inspect(facts).hits.map(({ ruleId }) => ruleId)

describe('rules', () => {
  test('a request that matches none passes', () => {
    expect(load().inspect(request('/orders?id=4711'))).toEqual({
      blocked: false,
      suspicious: false,
      score: 0,
      hits: [],
      failure: undefined,
    })
  })

  test('a hit tells rule, variable and part, through transformations', () => {
    const result = load().inspect(request('/?q=uni%6fn/**/SELECT'))
    expect(result).toMatchObject({ blocked: true, score: 5 })
    expect(result.hits[0]).toEqual({
      ruleId: 100,
      message: 'Union union SELECT',
      severity: 'CRITICAL',
      variable: 'ARGS:q',
      matched: 'union SELECT',
      tags: ['attack-sqli'],
    })
  })

  test('in mode detect nothing is blocked', () => {
    expect(load({ mode: 'detect' }).inspect(request('/?q=union+select'))).toMatchObject({
      blocked: false,
      suspicious: true,
      score: 5,
    })
  })

  test('each value that matches counts, names of arguments too', () => {
    expect(load().inspect(request('/?a=union+select&b=union+select&union+select=1')).score).toBe(15)
  })

  test('an excluded selector is not looked at', () => {
    expect(ids(load(), request('/?free1=union+select'))).toEqual([])
  })

  test('phrases are found whatever their case; below the threshold nothing is blocked', () => {
    expect(load().inspect(request('/?a=XP_CmdShell'))).toMatchObject({ blocked: false, score: 3 })
    expect(load({ anomalyThreshold: 3 }).inspect(request('/?a=xp_cmdshell')).blocked).toBe(true)
  })

  test('a chain matches where all of it does', () => {
    expect(ids(load(), request('/', { method: 'POST' }))).toEqual([102])
    expect(ids(load(), posted('text/plain', 'x'))).toEqual([])
  })

  test('a paranoia level opens its gate', () => {
    expect(ids(load(), request('/?a=strict'))).toEqual([])
    expect(ids(load({ paranoiaLevel: 2 }), request('/?a=strict'))).toEqual([104, 900])
  })

  test('ctl takes a target from a rule', () => {
    const facts = { clientAddress: '192.0.2.1' }
    expect(ids(load(), request('/?q=union+select', facts))).toEqual([])
    expect(ids(load(), request('/?r=union+select', facts))).toEqual([100, 900])
  })

  test('libinjection looks at the whole of long values', () => {
    expect(ids(load(), request(`/?a=${'a'.repeat(6_000)}'+or+1=1--`))).toEqual([106, 900])
    expect(ids(load(), request("/?name=O'Brien"))).toEqual([])
  })

  test.each([
    "1' OR username LIKE '%admin%",
    "1'/**/OR/**/username/**/=/**/'x",
    'x" and t.name <> "y',
    `${'a'.repeat(600)} AND 1=CAST((SELECT version()) AS int)`,
  ])('an injection that compares a name is found: %s', (text) => {
    expect(ids(load(), request(`/?q=${encodeURIComponent(text)}`))).toEqual([106, 900])
  })

  test.each(["Rock 'n' roll or pop, and name it", "it's O'Brien or Smith", 'a or b = c', 'x and 1 of 2'])(
    'ordinary text with names and quotes passes: %s',
    (text) => {
      expect(ids(load(), request(`/?q=${encodeURIComponent(text)}`))).toEqual([])
    },
  )

  test('rules that cannot be taken are told, with the reason', () => {
    const { report } = load()
    expect(report.signatures).toEqual(['TEST/1.0'])
    expect(report.refused.map(({ id, reason }) => `${id}: ${reason}`)).toEqual([
      '109: look-ahead or look-behind',
      '110: the operator @geolookup is not supported',
    ])
  })

  test('secrets do not show in hits', () => {
    const [hit] = load().inspect(request('/?password=union+select')).hits
    expect(hit?.matched).toBe('***')
  })
})

describe('bodies', () => {
  const multipart = (name: string) =>
    [
      '--b',
      'Content-Disposition: form-data; name="a"',
      '',
      'union select',
      '--b',
      `Content-Disposition: form-data; name="f"; filename="${name}"`,
      '',
      '\x00\x01',
      '--b--',
      '',
    ].join('\r\n')

  test.each<[string, string, string, number[]]>([
    ['a form', 'application/x-www-form-urlencoded', 'a=union+select', [100, 900]],
    ['JSON', 'application/json', '{"a":[1,{"b":"\\u0075nion select"}]}', [100, 900]],
    ['JSON with a name twice', 'application/json', '{"a":"union select","a":"b"}', [100, 900]],
    ['multipart', 'multipart/form-data; boundary=b', multipart('a.txt'), [100, 900]],
    ['names of files', 'multipart/form-data; boundary=b', multipart('a.php'), [100, 108, 900]],
    ['XML', 'application/xml', '<a><b>ev&#105;l</b></a>', [107, 900]],
  ])('%s', (_, type, body, expected) => {
    expect(ids(load(), posted(type, body))).toEqual(expected)
  })

  test.each([
    ['application/json', '{"a":1'],
    ['application/json', '[1,]'],
    ['application/json', '['.repeat(100) + ']'.repeat(100)],
    ['application/xml', '<a><b></a>'],
    ['application/xml', '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///x">]><a>&b;</a>'],
    ['multipart/form-data; boundary=b', '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx'],
    ['multipart/form-data', 'x'],
    ['application/x-www-form-urlencoded', 'a=1&'.repeat(1_001)],
  ])('%s that cannot be read fails closed, unless the settings say otherwise', (type, body) => {
    const facts = posted(type, body)
    expect(load().inspect(facts)).toMatchObject({ blocked: true, failure: { reason: 'body-unparsable' } })
    expect(load({ onFailure: 'allow' }).inspect(facts)).toMatchObject({
      blocked: false,
      failure: { reason: 'body-unparsable' },
    })
  })

  test('a body that is cut fails closed', () => {
    expect(load().inspect({ ...posted('text/plain', 'x'), bodyCut: true })).toMatchObject({
      blocked: true,
      failure: { reason: 'body-cut' },
    })
  })
})

test('a used-up time budget fails closed', () => {
  const engine = load({ timeBudget: 0.000_001 })
  expect(engine.inspect(request('/?a=1'))).toMatchObject({
    blocked: true,
    failure: { reason: 'time-budget' },
  })
})

describe('exclusions', () => {
  test('by rule, tag, path and variable', () => {
    const attack = request('/comments/1?a=union+select')
    expect(ids(load({ exclusions: [{ rules: ['100-101'] }] }), attack)).toEqual([])
    expect(ids(load({ exclusions: [{ tags: ['attack-sqli'] }] }), attack)).toEqual([])
    expect(ids(load({ exclusions: [{ path: '/comments/' }] }), attack)).toEqual([])
    expect(ids(load({ exclusions: [{ path: '/comments/', variables: ['ARGS:a'] }] }), attack)).toEqual([])
    expect(ids(load({ exclusions: [{ path: '/other/' }] }), attack)).toEqual([100, 900])
    expect(ids(load({ exclusions: [{ variables: ['ARGS:b'] }] }), attack)).toEqual([100, 900])
  })

  test('a path is compared after .. has been taken out', () => {
    const exclusions = [{ path: '/comments/' }]
    expect(ids(load({ exclusions }), request('/comments/%2e%2e/admin?a=union+select'))).toEqual([100, 900])
  })
})

describe('rules that depend on no request', () => {
  const loaded = (text: string) => {
    const own = join(folder, 'own.rules')
    writeFileSync(own, text)
    return WafEngine.load(own, { mode: 'block', timeBudget: 10_000 })
  }
  const idsOf = (engine: WafEngine, target: string) =>
    engine.inspect(request(target)).hits.map(({ ruleId }) => ruleId)

  test('a gate that a rule may open, by a name made of the request, is asked with each', () => {
    const engine = loaded(String.raw`
SecRule &TX:absent "@gt 0" "id:1,phase:1,deny"
SecAction "id:2,phase:1,pass,nolog,setvar:tx.level=1"
SecRule ARGS_NAMES "@rx ^set_(\w+)$" "id:3,phase:1,pass,nolog,capture,setvar:'tx.gate_%{tx.1}=1'"
SecRule TX:gate_open "@eq 1" "id:4,phase:2,pass,nolog,skipAfter:END-GATE"
SecRule TX:level "@lt 1" "id:5,phase:2,pass,nolog,skipAfter:END-GATE"
SecRule ARGS "@contains bad" "id:6,phase:2,pass,log,t:none"
SecMarker END-GATE
SecRule TX:level "@lt 2" "id:7,phase:2,pass,nolog,skipAfter:END-LEVEL"
SecRule ARGS "@contains bad" "id:8,phase:2,pass,log,t:none"
SecMarker END-LEVEL`)
    expect(idsOf(engine, '/?x=bad')).toEqual([6])
    expect(idsOf(engine, '/?x=bad&set_open=1')).toEqual([])
    expect(idsOf(engine, '/?x=bad&set_other=1')).toEqual([6])
  })

  test('one that denies does so for each request', () => {
    const engine = loaded(`
SecRule &TX:absent "@eq 0" "id:1,phase:1,deny,log"
SecAction "id:2,phase:1,pass,log"`)
    for (const target of ['/', '/a']) {
      expect(engine.inspect(request(target))).toMatchObject({ blocked: true })
      expect(idsOf(engine, target)).toEqual([1])
    }
  })
})
