import { type Command, InvalidArgumentError } from 'commander'
import { precedence } from '../config/index.ts'
import type { Candidate, RouteExplanation } from '../data-plane/route-explanation.ts'
import { openGateway } from './gateway-access.ts'
import { addGlobalOptions, settingsOf } from './settings.ts'
import { table } from './table.ts'

const print = (text: string) => void process.stdout.write(`${text}\n`)

type Headers = Readonly<Record<string, string>>

/** Of a header that is given several times the first value counts, as it does for routes. */
function header(text: string, before: Headers = {}): Headers {
  const match = /^([\w!#$%&'*+.^`|~-]+):\s*(.*?)\s*$/.exec(text)
  if (!match) throw new InvalidArgumentError('expected a header such as "X-Tenant: a"')
  return { [match[1]!.toLowerCase()]: match[2]!, ...before }
}

/** `routes explain`: exit code 0 where a route gets the request, 1 where none does. */
export function addExplain(routes: Command): void {
  const explain = routes
    .command('explain')
    .description('say which route a request takes, and why')
    .argument('<method>', 'such as GET')
    .argument('<url>', 'such as https://api.example.com/v1/orders?page=2, or a path alone')
    .option(
      '--header <header>',
      'a header that the request has, "Name: value"; may be given several times',
      header,
    )
    .addHelpText('after', `\n${precedence}\n`)
  addGlobalOptions(explain).action(async (method: string, url: string) => {
    const settings = settingsOf(explain)
    const { header: headers = {} } = explain.opts<{ header?: Headers }>()
    const gateway = await openGateway(settings)
    const explanation = await gateway.explain({ method: method.toUpperCase(), url, headers })
    print(settings.json ? JSON.stringify(explanation, null, 2) : explanationText(explanation))
    if (!explanation.winner) process.exitCode = 1
  })
}

function explanationText({ request, winner, candidates, omitted }: RouteExplanation): string {
  const { method, host, path, query } = request
  const won = candidates.findIndex(({ matches }) => matches)
  const rows = candidates.map((candidate, index) => [
    candidate.route,
    candidate.service ?? '-',
    String(candidate.priority),
    candidate.host ?? '-',
    candidate.path,
    outcome(candidate, index === won),
  ])
  const others = omitted === 0 ? [] : [`… and ${omitted} more whose host or path does not match`]
  const list =
    rows.length === 0 ? [] : [table(['ROUTE', 'SERVICE', 'PRIORITY', 'HOST', 'PATH', 'MATCHES'], rows)]
  const result = winner ? winnerText(winner) : 'No route gets it: the gateway answers 404.'
  return [
    `${method} ${host === '' ? path : `http://${host}${path}`}${query}`,
    [...list, ...others].join('\n') || 'There are no routes yet.',
    result,
    precedence,
  ].join('\n\n')
}

function winnerText({
  route,
  service,
  upstream_path,
  also,
}: NonNullable<RouteExplanation['winner']>): string {
  const answer =
    service === null
      ? []
      : [
          upstream_path === null
            ? 'the gateway answers 400: what is left of the path cannot be sent on'
            : `service ${service} is asked for ${upstream_path}`,
        ]
  return `Route ${route} gets it: ${[...answer, ...also].join('; ')}`
}

function outcome({ matches, unmet }: Candidate, wins: boolean): string {
  if (!matches) return `no: ${unmet}`
  return wins ? 'yes, and gets it' : 'yes, but comes later'
}
