import type { WafReport } from './compare.ts'

const percent = (part: number, whole: number) => `${((100 * part) / whole).toFixed(1)} %`

/** What share of each kind was refused. */
export function detectionTable({ kinds }: WafReport) {
  const head = ['requests', 'sent', 'ModSecurity refused', 'gateway refused']
  const rows = kinds.map(({ kind, requests, modsecurity, gateway }) => [
    kind,
    String(requests),
    `${modsecurity} (${percent(modsecurity, requests)})`,
    `${gateway} (${percent(gateway, requests)})`,
  ])
  return { head, rows }
}

/** What a request costs. */
export function costTable({ cpu }: WafReport) {
  const head = ['corpus', 'ModSecurity, µs CPU', 'gateway, µs CPU', 'ratio']
  const rows = cpu.map(({ corpus, modsecurity, gateway }) => [
    corpus,
    modsecurity.toFixed(0),
    gateway.toFixed(0),
    (gateway / modsecurity).toFixed(2),
  ])
  return { head, rows }
}

/** How often each rule was matched by one side alone. */
export function ruleTable({ differences }: WafReport) {
  const counts = new Map<number, { modsecurity: number; gateway: number; example: string }>()
  for (const { onlyModSecurity, onlyGateway, request } of differences) {
    const count = (id: number, side: 'modsecurity' | 'gateway') => {
      const row = counts.get(id) ?? { modsecurity: 0, gateway: 0, example: request }
      row[side]++
      counts.set(id, row)
    }
    for (const id of onlyModSecurity) count(id, 'modsecurity')
    for (const id of onlyGateway) count(id, 'gateway')
  }
  const head = ['rule', 'only ModSecurity', 'only gateway', 'such as']
  const rows = [...counts]
    .sort(([a], [b]) => a - b)
    .map(([id, { modsecurity, gateway, example }]) => [
      String(id),
      String(modsecurity),
      String(gateway),
      example.slice(0, 60).replaceAll('\r\n', ' '),
    ])
  return { head, rows }
}
