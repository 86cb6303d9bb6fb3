import type { StackGraph, StackResource } from '../plan/stack-graph.ts'

/** Who may reach whom, on which TCP ports: read off the rules of the firewalls. */
export interface Connection {
  /** Part that connects; `clients` for networks. */
  readonly from: string
  readonly to: string
  readonly ports: readonly number[]
}

/** All connections that ingress rules let through, each pair once. */
export function connectionsOf(graph: StackGraph): Connection[] {
  const groups = graph.of('aws_security_group')
  const partOf = (reference: string | undefined) =>
    groups.find(({ address }) => reference === `\${${address}.id}`)?.part
  const found = new Map<string, Set<number>>()
  for (const { arguments: rule } of graph.of('aws_vpc_security_group_ingress_rule')) {
    const to = partOf(rule.security_group_id)
    const from = rule.referenced_security_group_id
      ? partOf(rule.referenced_security_group_id)
      : sourceOf(rule)
    if (!to || !from) continue
    const key = `${from} ${to}`
    found.set(key, (found.get(key) ?? new Set()).add(rule.from_port))
  }
  return [...found].map(([key, ports]) => {
    const [from = '', to = ''] = key.split(' ')
    return { from, to, ports: [...ports].sort((a, b) => a - b) }
  })
}

const sourceOf = (rule: StackResource['arguments']) =>
  /\/0$/.test(rule.cidr_ipv4 ?? rule.cidr_ipv6 ?? '') ? 'clients' : undefined
