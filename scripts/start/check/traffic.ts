import type { Check } from './check.ts'
import { type Answer, send } from './client.ts'
import { circuitFailures, requestLimit, silentRetries } from './failing-services.ts'
import type { Subject } from './subject.ts'

/** What a client sees: routing, TLS, limits, and upstreams that fail. */
export const trafficChecks = (subject: Subject): Check[] => [
  {
    tried: 'GET /orders/17 over HTTP',
    expected: '200 from orders at /17, one request id',
    see: async () => describeEcho(await send(`${subject.http}/orders/17`)),
  },
  {
    tried: 'GET /users/4 over TLS, verified with the development CA',
    expected: '200 from users at /4, one request id, TLSv1.3',
    see: async () => {
      const answer = await send(`${subject.https}/users/4`, { ca: subject.ca })
      return `${describeEcho(answer)}, ${answer.tls}`
    },
  },
  {
    tried: 'GET a path without a route',
    expected: '404 application/problem+json',
    see: async () => describeProblem(await send(`${subject.http}/nowhere`)),
  },
  {
    tried: `${requestLimit + 1} requests where ${requestLimit} a minute may pass`,
    expected: '200 200 200 429 with ratelimit, ratelimit-policy, retry-after',
    see: () => seeRateLimit(subject),
  },
  {
    tried: 'a service that was stopped',
    expected: '200, then 502 application/problem+json',
    see: async () => {
      const before = await send(`${subject.http}/check/stoppable`)
      await subject.failing.stoppable.stop()
      return `${before.status}, then ${describeProblem(await send(`${subject.http}/check/stoppable`))}`
    },
  },
  {
    tried: 'a silent service, tried again after its read timeout',
    expected: `504 application/problem+json, after ${silentRetries + 1} attempts`,
    see: async () => {
      const answer = await send(`${subject.http}/check/silent`)
      return `${describeProblem(answer)}, after ${subject.failing.silent.requests} attempts`
    },
  },
  {
    tried: `a circuit that opens after ${circuitFailures} failures in a row`,
    expected: '502 502 503',
    see: async () => {
      const statuses: number[] = []
      for (let sent = 0; sent <= circuitFailures; sent++) {
        statuses.push((await send(`${subject.http}/check/circuit`)).status)
      }
      return statuses.join(' ')
    },
  },
]

async function seeRateLimit({ http }: Subject): Promise<string> {
  const answers: Answer[] = []
  for (let sent = 0; sent <= requestLimit; sent++) answers.push(await send(`${http}/check/limited`))
  const { headers } = answers.at(-1)!
  const names = ['ratelimit', 'ratelimit-policy', 'retry-after'].filter((name) => name in headers)
  return `${answers.map(({ status }) => status).join(' ')} with ${names.join(', ')}`
}

const describeProblem = ({ status, headers }: Answer) => `${status} ${headers['content-type']}`

/** What an echoing service says that it saw; and whether it saw the request id that the client was given. */
function describeEcho({ status, headers, body }: Answer): string {
  if (status !== 200) return `${status} ${body.slice(0, 100)}`
  const seen = JSON.parse(body) as { service: string; path: string; headers: Record<string, string> }
  const given = headers['x-request-id']
  const ids = given && given === seen.headers['x-request-id'] ? 'one request id' : 'different request ids'
  return `${status} from ${seen.service} at ${seen.path}, ${ids}`
}
