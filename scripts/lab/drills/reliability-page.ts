/** What a drill promised, and what was seen. */
export interface Figure {
  readonly drill: string
  readonly promise: string
  readonly seen: string
}

const columns = ['drill', 'promise', 'seen'] as const

/** docs/reliability.md: written by the drills, `npm run test:lab -- --write`. */
export function reliabilityPage(figures: readonly Figure[], machine: string): string {
  const rows = figures.map((figure) => `| ${columns.map((column) => figure[column]).join(' | ')} |`)
  return `# Reliability

What a cluster on hosts survives: three hosts, each an edge, a gateway node and two servers of Redis, deployed by Terraform
as \`npm run lab deploy\` does. Each drill runs under steady load through the virtual IP, a connection for each request;
every request has an id, which its answer must have, and is accounted for.

| drill | promise | seen |
| ----- | ------- | ---- |
${rows.join('\n')}

Seen on ${machine}. \`npm run test:lab\` runs the drills on one Linux machine as root.
`
}
