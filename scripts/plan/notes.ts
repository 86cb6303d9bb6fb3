import type { StackGraph } from './stack-graph.ts'

/** vCPUs by size (EC2 User Guide). */
const vcpus: Readonly<Record<string, number>> = { medium: 1, large: 2, xlarge: 4 }
const vcpusOf = (type: string): number => {
  const size = type.split('.')[1] ?? ''
  const multiple = /^(\d+)xlarge$/.exec(size)?.[1]
  return multiple ? Number(multiple) * 4 : (vcpus[size] ?? 2)
}

/** Quotas that a stack may run into, with their names in Service Quotas; defaults are those of a new account. */
function quotaNotes(graph: StackGraph): string[] {
  const addresses = graph.of('aws_eip').length
  const cores = graph
    .of('aws_autoscaling_group')
    .map(({ arguments: group }) => {
      const types: string[] = group.mixed_instances_policy.launch_template.override.map(
        ({ instance_type: type }: { instance_type: string }) => type,
      )
      // A rolling replacement starts a fifth more.
      return Math.ceil(group.max_size * 1.2) * Math.max(...types.map(vcpusOf))
    })
    .reduce((total, each) => total + each, 0)
  const nodes = graph
    .of('aws_elasticache_replication_group')
    .reduce(
      (total, { arguments: { num_node_groups: shards, replicas_per_node_group: replicas } }) =>
        total + shards * (replicas + 1),
      0,
    )
  const notes: [boolean, string][] = [
    [addresses > 5, `Quota: ${addresses} Elastic IPs (a new account has 5: EC2-VPC Elastic IPs, L-0263D0A3)`],
    [
      cores > 5,
      `Quota: up to ${cores} vCPUs (a new account has 5: Running On-Demand Standard instances, L-1216C47A)`,
    ],
    [
      nodes > 90,
      `Quota: ${nodes} Redis nodes in a cluster (90 without asking: Nodes per cluster, L-DFE45DF3)`,
    ],
  ]
  return notes.filter(([applies]) => applies).map(([, note]) => note)
}

/** Plain Debian needs packages; where it cannot get them, no node ever becomes ready. */
function imageNotes(graph: StackGraph): string[] {
  const isPlain = graph.lookups.includes('aws_ami') && graph.of('aws_imagebuilder_image').length === 0
  const reachesMirrors = graph
    .of('aws_vpc_security_group_egress_rule')
    .some(({ arguments: rule }) => rule.cidr_ipv4 === '0.0.0.0/0')
  if (!isPlain || reachesMirrors) return []
  return [
    'Nodes: plain Debian, which reaches no mirror for its packages. Give nodes.image or nodes.package, or network.nat: zone with nodes.internet_ports: [80, 443]',
  ]
}

/** What people should know before they deploy. */
export const notesOn = (graph: StackGraph): string[] => [...imageNotes(graph), ...quotaNotes(graph)]
