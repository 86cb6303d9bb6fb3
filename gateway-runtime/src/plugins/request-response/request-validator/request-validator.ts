import { z } from 'zod'
import { definePlugin, type PluginRequest, type ProblemReply } from '../../contract.ts'
import { isJson } from '../transformer/json-operations.ts'
import { compileDocument } from './openapi-document.ts'
import { openapiValidator } from './openapi-validator.ts'
import { Parameter } from './parameter.ts'
import { jsonProblems } from './request-body.ts'
import { DocumentError, SchemaSource } from './schema-source.ts'
import { SentRequest } from './sent-request.ts'

const mostErrors = 10

/** A JSON Schema (draft 2020-12), as OpenAPI 3.1 uses it. */
const jsonSchema = z.union([z.record(z.string(), z.unknown()), z.boolean()]).superRefine(
  refusing((schema) => {
    new SchemaSource(schema).compile([])
  }),
)

const openapi = z
  .union([
    z.string().startsWith('/'),
    z.record(z.string(), z.unknown()).superRefine(
      refusing((document) => {
        for (const _ of compileDocument(document));
      }),
    ),
  ])
  .describe(
    'Document of OpenAPI 3.1 that requests must keep to: a file in YAML or JSON (a new one needs a new name), or the ' +
      'document itself. Bodies of JSON, forms (application/x-www-form-urlencoded) and text are checked, others only ' +
      'for their type; `format` and answers are not checked.',
  )

const parameterSchema = z.strictObject({
  in: z.enum(['query', 'header', 'cookie']),
  name: z.string().min(1).max(256),
  required: z.boolean().default(false),
  schema: jsonSchema
    .default(true)
    .describe('Of the value: a text, or a number or boolean where the schema asks for one.'),
})

const settings = z
  .strictObject({
    openapi: openapi.optional(),
    base_path: z
      .string()
      .regex(/^(\/[^/?#]+)*$/, 'expected a path such as /v1, without a slash at its end')
      .default('')
      .describe(
        'What stands before the paths of the document in what the upstream is asked for: `strip_path` has been cut ' +
          'off then, and the path of the service put before.',
      ),
    unknown_operations: z
      .enum(['refuse', 'pass'])
      .default('refuse')
      .describe('What becomes of paths (404) and methods (405) that the document does not have.'),
    body_schema: jsonSchema
      .optional()
      .describe('JSON Schema (draft 2020-12, as in OpenAPI 3.1) of the body.'),
    parameters: z.array(parameterSchema).max(200).default([]),
    max_body: z
      .int()
      .min(1)
      .max(67_108_864)
      .default(1_048_576)
      .describe('Bytes of a body that is to be validated; 413 for more.'),
    verbose: z.boolean().default(true).describe('Whether the answer says what is wrong, and where.'),
  })
  .superRefine((config, context) => {
    const own = config.body_schema !== undefined || config.parameters.length > 0
    if (own !== (config.openapi === undefined))
      context.addIssue({
        code: 'custom',
        message: own
          ? 'openapi says what is validated: leave out body_schema and parameters'
          : 'say what is validated: openapi, or body_schema, parameters or both',
      })
  })
export type ValidatorSettings = z.output<typeof settings>

/** Problems of requests, as answers. */
export type Refuse = (problems: readonly string[]) => ProblemReply

/** Refuses requests that are not as an API describes them, before a service sees them. */
export const requestValidator = definePlugin({
  name: 'request-validator',
  order: 999,
  description:
    'Answers 400 to requests that are not as a document of OpenAPI 3.1, or schemas for parameters and JSON body, ' +
    'want them.',
  config: settings,
  examples: [
    {
      body_schema: {
        type: 'object',
        required: ['item', 'count'],
        properties: { item: { type: 'string', maxLength: 64 }, count: { type: 'integer', minimum: 1 } },
        additionalProperties: false,
      },
      parameters: [{ in: 'query', name: 'page', schema: { type: 'integer', minimum: 1 } }],
    },
    { openapi: '/etc/gateway/orders.openapi.yaml', base_path: '/v1' },
  ],
  counters: { refused: 'Requests that were not as they are to be.' },
  create(config, gateway) {
    const refuse: Refuse = (problems) => {
      gateway.count('refused')
      const detail = config.verbose ? problems.slice(0, mostErrors).join('; ') : 'The request is not valid.'
      return { status: 400, code: 'invalid-request', detail }
    }
    return config.openapi === undefined
      ? schemaValidator(config, refuse)
      : openapiValidator(config.openapi, config, refuse, () => gateway.count('refused'))
  },
})

/** Handlers for schemas of the configuration itself. */
function schemaValidator(config: ValidatorSettings, refuse: Refuse) {
  const parameters = config.parameters.map(
    ({ schema, ...parameter }) =>
      new Parameter(
        {
          ...parameter,
          style: parameter.in === 'header' ? 'simple' : 'form',
          explode: parameter.in !== 'header',
          allowEmpty: false,
          isJson: false,
          otherNames: new Set(config.parameters.map(({ name }) => name)),
        },
        new SchemaSource(schema),
        [],
      ),
  )
  const validateBody =
    config.body_schema === undefined ? undefined : new SchemaSource(config.body_schema).compile([])
  return {
    onRequest({ request }: { readonly request: PluginRequest }) {
      const sent = new SentRequest(request, noValues)
      const problems = parameters.flatMap((parameter) => parameter.problems(sent))
      if (problems.length > 0) return refuse(problems)
      if (!validateBody) return undefined
      if (!isJson(request.header('content-type')))
        return refuse(['the body must be JSON, and say so in Content-Type'])
      return request.body(config.max_body).then((body) => {
        const wrong = jsonProblems(body, validateBody)
        return wrong.length > 0 ? refuse(wrong) : undefined
      })
    },
  }
}

const noValues: ReadonlyMap<string, string> = new Map()

/** Says where in a value of the configuration something is wrong that `check` throws. */
function refusing<Value>(check: (value: Value) => void) {
  return (value: Value, context: z.RefinementCtx) => {
    try {
      check(value)
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error
      context.addIssue({ code: 'custom', message: error.message, path: [...error.place] })
    }
  }
}
