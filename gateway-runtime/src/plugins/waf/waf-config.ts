import { z } from 'zod'
import type { WafSettings } from './engine/settings.ts'

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

export const wafConfig = z.strictObject({
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
    .default(1_048_576)
    .describe('Bytes of a body that are looked at; a longer one is a failure.'),
  inline_bytes: z
    .int()
    .min(0)
    .max(131_072)
    .default(16_384)
    .describe(
      'Bytes up to which a body is looked at where requests are answered; larger ones have a thread.',
    ),
  time_budget: z
    .int()
    .min(1)
    .max(10_000)
    .default(100)
    .describe('Milliseconds for a request; more is a failure.'),
  large_time_budget: z
    .int()
    .min(1)
    .max(5_000)
    .default(2_000)
    .describe('The same for one whose body is larger than `inline_bytes`.'),
  on_failure: z
    .enum(['block', 'allow'])
    .default('block')
    .describe('What becomes of requests, and of answers, that cannot be looked at to the end.'),
  inspect_responses: z
    .boolean()
    .default(false)
    .describe('Whether answers are looked at too: for leaked errors, source code and the like.'),
  response_bytes: z
    .int()
    .min(0)
    .max(2 ** 22)
    .default(524_288)
    .describe('Bytes of an answer that are looked at; a longer one is a failure.'),
  response_types: z
    .array(z.string().min(1))
    .max(100)
    .default(['text/html', 'text/plain', 'text/xml', 'application/json', 'application/xml'])
    .describe('Answers of these types have their bodies looked at, others only their headers.'),
  outbound_threshold: z
    .int()
    .min(1)
    .max(10_000)
    .default(4)
    .describe('Score from which on answers are held back.'),
  exclusions: z.array(exclusion).max(1_000).default([]).describe('What rules shall not look at.'),
})

export type WafConfig = z.output<typeof wafConfig>

/** What the engine is told of it. */
export function settingsOf(config: WafConfig): WafSettings {
  return {
    mode: config.mode,
    paranoiaLevel: config.paranoia_level,
    anomalyThreshold: config.anomaly_threshold,
    outboundThreshold: config.outbound_threshold,
    inspectsResponses: config.inspect_responses,
    allowedMethods: config.allowed_methods,
    timeBudget: config.time_budget,
    onFailure: config.on_failure,
    exclusions: config.exclusions.map(({ parameters, variables, ...where }) => {
      const all = [...parameters.map((name) => `ARGS:${name}`), ...variables]
      return { ...where, variables: all.length > 0 ? all : undefined }
    }),
  }
}
