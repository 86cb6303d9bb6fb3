import { BodyTooLarge, definePlugin, type Exchange, type PluginResponse, type Reply } from '../contract.ts'
import type { RequestFacts } from './engine/request-facts.ts'
import { WafEngine, type WafFailure, type WafResult } from './engine/waf-engine.ts'
import { inspector } from './inspection/inspector.ts'
import { seenResponse } from './response-inspection.ts'
import { settingsOf, wafConfig } from './waf-config.ts'

/** Lines of the error log for one request. */
const maxLoggedHits = 10

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
const answerReplies = {
  suspicious: {
    status: 502,
    code: 'waf-response-blocked',
    detail: 'The answer was held back: it has what should not leave.',
  },
  failed: { status: 502, code: 'waf-response-not-inspected', detail: 'The answer could not be inspected.' },
} satisfies Readonly<Record<string, Reply>>
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
  config: wafConfig,
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
    responses_inspected: 'Answers that were looked at.',
    responses_blocked: 'Answers that were held back.',
    failed: 'Requests that could not be looked at to the end.',
  },
  serve(config, node) {
    const settings = settingsOf(config)
    const firewall = inspector.open(config.rules, settings, {
      onLoaded: (report) =>
        node.log('info', 'waf-rules-loaded', {
          rules: report.rules,
          rule_set: report.signatures.join(', '),
          refused: report.refused.map(({ id, location, reason }) => `${id ?? location}: ${reason}`),
        }),
      onFailed: (reason) => node.log('error', 'waf-rules-not-loaded', { reason }),
    })
    return {
      onCall: (message) => firewall.inspect(message as RequestFacts, config.large_time_budget),
      stop: () => firewall.close(),
    }
  },
  create(config, gateway) {
    const settings = settingsOf(config)
    let engine: WafEngine | undefined
    const ready = WafEngine.loadGradually(config.rules, settings).then((loaded) => {
      engine = loaded
    })
    ready.catch(() => {}) // whoever waits for it is told
    const types = new Set(config.response_types)

    const report = (exchange: Exchange, result: WafResult) => {
      const level = result.suspicious ? 'warn' : 'info'
      const request = { request_id: exchange.requestId, route: exchange.routeName }
      for (const hit of result.hits.slice(0, maxLoggedHits)) {
        const { ruleId: rule, message, severity, variable, matched } = hit
        gateway.log(level, 'waf-hit', { ...request, rule, message, severity, variable, matched })
      }
      if (result.hits.length > 0) gateway.count('hits', result.hits.length)
      if (!result.failure) return
      gateway.count('failed')
      gateway.log('warn', 'waf-failure', { ...request, ...result.failure })
    }

    const judge = (exchange: Exchange, result: WafResult): Reply | undefined => {
      gateway.count('inspected')
      report(exchange, result)
      if (result.suspicious && !result.blocked) gateway.count('detected')
      if (!result.blocked) return undefined
      gateway.count('blocked')
      return result.failure ? failureReplies[result.failure.reason] : refusal
    }

    const failed = (reason: WafFailure['reason'], detail: string): WafResult => {
      const suspicious = config.on_failure === 'block'
      const blocked = suspicious && config.mode === 'block'
      return { blocked, suspicious, score: 0, hits: [], failure: { reason, detail } }
    }

    const inspect = (facts: RequestFacts): WafResult | Promise<WafResult> => {
      const length = facts.body?.length ?? 0
      if (length <= config.inline_bytes) return engine!.inspect(facts)
      const large = { ...facts, body: shared(facts.body!) }
      return gateway.call(large).then(
        (result) => result as WafResult,
        (error: Error) => failed('engine-error', error.message),
      )
    }

    const readAndJudge = async (exchange: Exchange): Promise<Reply | undefined> => {
      await ready // it is, but where a consumer's own plugin is first used
      if (exchange.request.contentLength === 0)
        return judge(exchange, engine!.inspect(factsOf(exchange, noBody)))
      const body = await exchange.request.body(config.body_bytes).catch((error: unknown) => {
        if (error instanceof BodyTooLarge) return 'cut' as const
        throw error
      })
      return judge(exchange, await inspect(factsOf(exchange, body)))
    }

    return {
      ready,
      onRequest(exchange) {
        if (engine && exchange.request.contentLength === 0)
          return judge(exchange, engine.inspect(factsOf(exchange, noBody)))
        return readAndJudge(exchange)
      },
      ...(config.inspect_responses && {
        async onResponse(exchange: Exchange, response: PluginResponse) {
          const seen = await seenResponse(response, config.response_bytes, types)
          const result =
            typeof seen === 'string'
              ? failed(
                  seen === 'too-long' ? 'body-cut' : 'body-unparsable',
                  seen === 'too-long'
                    ? 'the answer is longer than what is inspected'
                    : 'the answer cannot be decoded',
                )
              : engine!.inspectResponse(factsOf(exchange, noBody), seen)
          gateway.count('responses_inspected')
          report(exchange, result)
          if (!result.blocked) return
          gateway.count('responses_blocked')
          response.replaceWith(answerReplies[result.failure ? 'failed' : 'suspicious'])
        },
      }),
    }
  },
})

/** In memory that threads share: large bodies are copied once. */
function shared(body: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(body.length))
  copy.set(body)
  return copy
}
