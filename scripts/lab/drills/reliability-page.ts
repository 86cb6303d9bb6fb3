/** What a drill promised, and what was seen. */
export interface Figure {
  readonly drill: string
  readonly promise: string
  readonly seen: string
}

const columns = ['drill', 'promise', 'seen'] as const

/** The rows that a page has already, so that drills of one subject can be run alone. */
function rowsOf(page: string): Figure[] {
  return page.split('\n').flatMap((line): Figure[] => {
    const [, drill, promise, seen] = line.split('|').map((cell) => cell.trim())
    return drill && promise && seen && drill !== 'drill' && !drill.startsWith('-')
      ? [{ drill, promise, seen }]
      : []
  })
}

/**
 * docs/reliability.md with what drills have seen: a row of the same name is replaced, the others stay.
 * @param page - what is there already
 * @param machine - what it was seen on
 */
export function reliabilityPage(page: string, figures: readonly Figure[], machine: string): string {
  const all = new Map([...rowsOf(page), ...figures].map((figure) => [figure.drill, figure]))
  const rows = [...all.values()].map((figure) => `| ${columns.map((column) => figure[column]).join(' | ')} |`)
  return `# Reliability

What a cluster on hosts survives: three hosts, each an edge, a gateway node and two servers of Redis, deployed by Terraform
as \`npm run lab deploy\` does. Each drill runs under steady load through the virtual IP, a connection for each request;
every request has an id, which its answer must have, and is accounted for. Upgrade and certificate: four hosts, two
gateways, over HTTPS; from bare hosts: eleven, with a role each. Workers are threads: a plugin ends one from within, or
fills its heap object by object. (Where one step asks for more than there is, as a Map that doubles, V8 ends the whole
process: then it is a kill of the gateway.) Hosts share the clock of the machine: libfaketime moves that of one gateway.

| drill | promise | seen |
| ----- | ------- | ---- |
${rows.join('\n')}

Seen on ${machine}. \`npm run test:lab\` runs the drills on one Linux machine as root; with GATEHOUSE_WRITE=1 it writes this
page.
`
}
