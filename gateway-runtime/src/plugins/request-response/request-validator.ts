import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { z } from 'zod'
import { patternProblem } from '../../config/route-pattern.ts'
import { definePlugin, type PluginRequest, type ProblemReply } from '../contract.ts'
import { isJson } from './transformer/json-operations.ts'

const mostErrors = 10

/** A JSON Schema (draft 2020-12), as OpenAPI 3.1 uses it. */
const jsonSchema = z
  .union([z.record(z.string(), z.unknown()), z.boolean()])
  .superRefine((schema, context) => {
    try {
      newValidator().compile(schema as object)
    } catch (error) {
      context.addIssue({ code: 'custom', message: `no JSON Schema: ${(error as Error).message}` })
    }
  })

const parameterSchema = z.strictObject({
  in: z.enum(['query', 'header']),
  name: z.string().min(1).max(256),
  required: z.boolean().default(false),
  schema: jsonSchema
    .default(true)
    .describe('Of the value: a text, or a number or boolean where the schema asks for one.'),
})

/** Refuses requests that are not as an API describes them, before a service sees them. */
export const requestValidator = definePlugin({
  name: 'request-validator',
  order: 999,
  description: 'Answers 400 to requests whose parameters or JSON body are not as a schema wants them.',
  config: z
    .strictObject({
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
    .refine(({ body_schema, parameters }) => body_schema !== undefined || parameters.length > 0, {
      message: 'say what is validated: body_schema, parameters or both',
    }),
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
  ],
  counters: { refused: 'Requests that were not as the schema wants them.' },
  create(config, gateway) {
    const parameters = config.parameters.map(({ schema, ...parameter }) => ({
      ...parameter,
      validate: newValidator().compile(schema as object),
    }))
    const validateBody =
      config.body_schema === undefined ? undefined : newValidator().compile(config.body_schema as object)
    const refuse = (problems: readonly string[]): ProblemReply => {
      gateway.count('refused')
      const detail = config.verbose ? problems.slice(0, mostErrors).join('; ') : 'The request is not valid.'
      return { status: 400, code: 'invalid-request', detail }
    }
    return {
      onRequest({ request }) {
        const problems = parameters.flatMap((parameter) => parameterProblems(request, parameter))
        if (problems.length > 0) return refuse(problems)
        if (!validateBody) return undefined
        if (!isJson(request.header('content-type')))
          return refuse(['the body must be JSON, and say so in Content-Type'])
        return request.body(config.max_body).then((body) => {
          const wrong = bodyProblems(body, validateBody)
          return wrong.length > 0 ? refuse(wrong) : undefined
        })
      },
    }
  },
})

interface Parameter {
  readonly in: 'query' | 'header'
  readonly name: string
  readonly required: boolean
  readonly validate: ValidateFunction
}

function parameterProblems(request: PluginRequest, parameter: Parameter): string[] {
  const { in: place, name, required, validate } = parameter
  const text =
    place === 'header' ? request.header(name.toLowerCase()) : new URLSearchParams(request.query).get(name)
  const what = `${place} ${name}`
  if (text === undefined || text === null) return required ? [`${what} is missing`] : []
  // Texts that look like JSON may be meant as such: which it is, the schema says.
  if (validate(text)) return []
  const asJson = /^(-?\d+(\.\d+)?([eE][+-]?\d+)?|true|false)$/.test(text)
    ? (JSON.parse(text) as unknown)
    : text
  return asJson !== text && validate(asJson) ? [] : describe(validate.errors, what)
}

function bodyProblems(body: Buffer, validate: ValidateFunction): string[] {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    return ['the body is not JSON']
  }
  return validate(value) ? [] : describe(validate.errors, 'body')
}

const describe = (errors: readonly ErrorObject[] | null | undefined, what: string): string[] =>
  (errors ?? []).map(({ instancePath, message }) => `${what}${instancePath} ${message}`)

/** All errors at once are those of the first only: how many there are is for the client to choose. */
function newValidator(): Ajv2020 {
  return new Ajv2020({
    strict: false, // OpenAPI brings keywords of its own
    validateFormats: false,
    code: { regExp: linearRegExp },
  })
}

/** `pattern` meets what clients send: only what matches in linear time is taken. */
function linearRegExp(pattern: string, flags: string): RegExp {
  const problem = pattern === '' ? undefined : patternProblem(`~${pattern}`, pattern)
  if (problem !== undefined) throw new Error(problem)
  return new RegExp(pattern, flags.replace('u', ''))
}
linearRegExp.code = 'linearRegExp'
