import { z } from 'zod'
import { BodyTooLarge, definePlugin, type Exchange, type Reply } from '../contract.ts'
import type { RequestFacts } from './engine/request-facts.ts'
import type { WafSettings } from './engine/settings.ts'
import { WafEngine, type WafFailure, type WafResult } from './engine/waf-engine.ts'

/** Lines of the error log for one request. */
const maxLoggedHits = 10

const ruleId = z.union([z.int().positive(), z.string().regex(/^\d+(-\d+)?$/)])

const exclusion = z.strictObject({
  rules: z
    .array(ruleId)
    .max(1_000)
    .default([])
    .describe('Ids and ranges, as 942100 or 942100-942199. With neither rules nor tags all rules are meant.'),
  tags: z.array(z.string().min(1)).max(100).default([]).describe('Rules with one of these, as attack-sqli.'),
  path: z.string().startsWith('/').optional().describe('Only for paths that begin so.'),
  route: z.string().min(1).optional().describe('Only for requests of this route.'),
  parameters: z
    .array(z.string().min(1))
    .max(1_000)
    .default([])
    .describe('Arguments that are not looked at; in JSON by their path, as json.user.comment.'),
  variables: z
    .array(z.string().regex(/^[A-Z_]+(:.+)?$/))
    .max(1_000)
    .default([])
    .describe('Variables of SecLang that are not looked at, as REQUEST_COOKIES:theme.'),
})

const config = z.strictObject({
  rules: z
    .string()
    .startsWith('/')
    .default('/usr/share/modsecurity-crs')
    .describe('Folder of the rule set: that of the distribution, or of a release of the Core Rule Set.'),
  mode: z
    .enum(['detect', 'block'])
    .default('block')
    .describe('Whether what is found is only told, or refused too.'),
  paranoia_level: z.int().min(1).max(4).default(1).describe('How much the rules suspect.'),
  anomaly_threshold: z
    .int()
    .min(1)
    .max(10_000)
    .default(5)
    .describe('Score from which on requests are refused.'),
  allowed_methods: z
    .array(z.string().regex(/^[A-Z]+$/))
    .min(1)
    .default(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
    .describe('Methods that rule 911100 lets pass.'),
  body_bytes: z
    .int()
    .min(0)
    .max(2 ** 24)
    .default(131_072)
    .describe('Bytes of a body that are looked at; a longer one is a failure.'),
  time_budget: z
    .int()
    .min(1)
    .max(10_000)
    .default(100)
    .describe('Milliseconds for a request; more is a failure.'),
  on_failure: z
    .enum(['block', 'allow'])
    .default('block')
    .describe('What becomes of requests that cannot be looked at to the end.'),
  exclusions: z.array(exclusion).max(1_000).default([]).describe('What rules shall not look at.'),
})

type Config = z.output<typeof config>

function settingsOf(config: Config): WafSettings {
  return {
    mode: config.mode,
    paranoiaLevel: config.paranoia_level,
    anomalyThreshold: config.anomaly_threshold,
    allowedMethods: config.allowed_methods,
    timeBudget: config.time_budget,
    onFailure: config.on_failure,
    exclusions: config.exclusions.map(({ parameters, variables, ...where }) => {
      const all = [...parameters.map((name) => `ARGS:${name}`), ...variables]
      return { ...where, variables: all.length > 0 ? all : undefined }
    }),
  }
}

/** What a client is told of a request that could not be looked at. */
const failureReplies: Readonly<Record<WafFailure['reason'], Reply>> = {
  'body-cut': {
    status: 413,
    code: 'body-too-large',
    detail: 'The body of the request is larger than this takes.',
  },
  'body-unparsable': {
    status: 400,
    code: 'body-unparsable',
    detail: 'The body or the query of the request is not what its type says.',
  },
  'time-budget': { status: 403, code: 'waf-not-inspected', detail: 'The request could not be inspected.' },
  'engine-error': { status: 403, code: 'waf-not-inspected', detail: 'The request could not be inspected.' },
}
const refusal: Reply = { status: 403, code: 'waf-blocked', detail: 'The request looks like an attack.' }

function factsOf({ request, clientAddress, routeName }: Exchange, body: Buffer | 'cut'): RequestFacts {
  const headers = [...request.headers()]
  if (request.header('host') === undefined) headers.unshift(['host', request.host])
  return {
    method: request.method,
    target: `${request.path}${request.query}`,
    protocol: request.protocol,
    headers,
    route: routeName,
    clientAddress,
    ...(body === 'cut' ? { bodyCut: true } : { body }),
  }
}

const noBody = Buffer.alloc(0)

/** Looks for attacks in requests with the rules of others, first of all the OWASP Core Rule Set. */
export const waf = definePlugin({
  name: 'waf',
  order: 900,
  description: 'Answers 403 to requests that look like attacks, by the rules of the OWASP Core Rule Set.',
  config,
  examples: [
    {},
    {
      mode: 'detect',
      paranoia_level: 2,
      exclusions: [{ rules: ['942000-942999'], path: '/v1/comments', parameters: ['json.text'] }],
    },
  ],
  counters: {
    inspected: 'Requests that were looked at.',
    blocked: 'Requests that were refused.',
    detected: 'Requests that rules would have refused, in mode detect.',
    hits: 'Rules that matched.',
    failed: 'Requests that could not be looked at to the end.',
  },
  serve(config, node) {
    const { report } = WafEngine.load(config.rules, settingsOf(config))
    node.log('info', 'waf-rules-loaded', {
      rules: report.rules,
      rule_set: report.signatures.join(', '),
      refused: report.refused.map(({ id, location, reason }) => `${id ?? location}: ${reason}`),
    })
    return { stop() {} }
  },
  create(config, gateway) {
    const engine = WafEngine.load(config.rules, settingsOf(config))

    const report = (exchange: Exchange, result: WafResult) => {
      const level = result.suspicious ? 'warn' : 'info'
      for (const hit of result.hits.slice(0, maxLoggedHits)) {
        const { ruleId: rule, message, severity, variable, matched } = hit
        const request = { request_id: exchange.requestId, route: exchange.routeName }
        gateway.log(level, 'waf-hit', { ...request, rule, message, severity, variable, matched })
      }
      if (result.hits.length > 0) gateway.count('hits', result.hits.length)
      if (!result.failure) return
      gateway.count('failed')
      gateway.log('warn', 'waf-failure', { request_id: exchange.requestId, ...result.failure })
    }

    const judge = (exchange: Exchange, body: Buffer | 'cut'): Reply | undefined => {
      const result = engine.inspect(factsOf(exchange, body))
      gateway.count('inspected')
      report(exchange, result)
      if (result.suspicious && !result.blocked) gateway.count('detected')
      if (!result.blocked) return undefined
      gateway.count('blocked')
      return result.failure ? failureReplies[result.failure.reason] : refusal
    }

    return {
      onRequest(exchange) {
        if (exchange.request.contentLength === 0) return judge(exchange, noBody)
        return exchange.request.body(config.body_bytes).then(
          (body) => judge(exchange, body),
          (error: unknown) => {
            if (error instanceof BodyTooLarge) return judge(exchange, 'cut')
            throw error
          },
        )
      },
    }
  },
})
