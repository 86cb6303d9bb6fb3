import { STATUS_CODES } from 'node:http'
import { ConfigurationError, type Problem } from '../../config/index.ts'
import { singular } from './entities.ts'

/** An answer of the admin API other than what was asked for: application/problem+json (RFC 9457). */
export interface AdminProblem {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  /** Stable, for programs. */
  readonly code: string
  /** For people: what was wrong and what to do. */
  readonly detail: string
  /** The same, and what follows, under the names that clients of Kong's admin API read. */
  readonly message: string
  readonly name: string
  /** What is wrong, by field; under `@entity` what is about the entity as a whole. */
  readonly fields?: Readonly<Record<string, unknown>>
  /** With the code `invalid-configuration`: everything that is wrong. */
  readonly problems?: readonly Problem[]
  /** The same by entity, for clients of Kong. */
  readonly flattened_errors?: readonly object[]
}

/** An error that says itself what to answer. */
export class RequestRefused extends Error {
  readonly status: number
  readonly code: string
  /** What is wrong with which field. */
  readonly fields: Readonly<Record<string, unknown>> | undefined

  constructor(status: number, code: string, detail: string, fields?: Readonly<Record<string, unknown>>) {
    super(detail)
    this.status = status
    this.code = code
    this.fields = fields
  }
}

/** Codes of errors, each with its status; those of Fastify get a code of ours. */
const known: Readonly<Record<string, readonly [status: number, code: string]>> = {
  'malformed-entity': [400, 'malformed-entity'],
  'malformed-request': [400, 'malformed-request'],
  'entity-not-found': [404, 'entity-not-found'],
  'entity-exists': [409, 'entity-exists'],
  'entity-in-use': [409, 'entity-in-use'],
  'edit-refused': [409, 'edit-refused'],
  'folder-changed': [409, 'folder-changed'],
  'configuration-refused': [409, 'configuration-refused'],
  'configuration-not-written': [500, 'configuration-not-written'],
  busy: [503, 'busy'],
  'store-conflict': [409, 'store-conflict'],
  'store-unreachable': [503, 'store-unreachable'],
  FST_ERR_CTP_BODY_TOO_LARGE: [413, 'body-too-large'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, 'unsupported-media-type'],
  FST_ERR_CTP_EMPTY_JSON_BODY: [400, 'malformed-json'],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, 'malformed-json'],
}

/** What is answered for an error; one that nobody foresaw tells nothing of itself. */
export function problemOf(error: Error & { code?: string; statusCode?: number }): AdminProblem {
  if (error instanceof ConfigurationError) {
    const problems = error.problems.map(withinEntity)
    return problem(400, error.code, describeProblems(error), {
      problems,
      fields: fieldsOf(problems),
      flattened_errors: byEntity(problems),
    })
  }
  if (error instanceof RequestRefused) {
    return problem(error.status, error.code, error.message, error.fields ? { fields: error.fields } : {})
  }
  const match = known[error.code ?? '']
  if (match) return problem(...match, error.message)
  if (error instanceof SyntaxError)
    return problem(400, 'malformed-json', `the body is not JSON: ${error.message}`)
  const { statusCode = 500 } = error
  if (statusCode < 500) return problem(statusCode, 'bad-request', error.message)
  return problem(500, 'internal-error', 'the gateway failed to answer; error.log says why')
}

export const problem = (
  status: number,
  code: string,
  detail: string,
  more: Pick<AdminProblem, 'problems' | 'fields' | 'flattened_errors'> = {},
): AdminProblem => ({
  type: 'about:blank',
  title: STATUS_CODES[status] ?? 'Error',
  status,
  code,
  detail,
  message: detail,
  name: kongNames[code] ?? code.replaceAll('-', ' '),
  ...more,
})

const kongNames: Readonly<Record<string, string>> = {
  'invalid-configuration': 'schema violation',
  'schema-violation': 'schema violation',
  'entity-exists': 'unique constraint violation',
  'entity-in-use': 'foreign key violation',
  'entity-not-found': 'not found',
}

function byEntity(problems: readonly Problem[]): object[] {
  const entities = Map.groupBy(problems, ({ entity }) => entity && `${entity.collection}/${entity.name}`)
  return [...entities.values()].map((own) => {
    const { collection, name } = own[0]!.entity ?? {}
    const errors = own.map(({ path, message }) => ({
      field: path,
      message,
      type: path === '' ? 'entity' : 'field',
    }))
    const kind =
      collection !== undefined && collection in singular
        ? singular[collection as keyof typeof singular]
        : null
    return { entity_type: kind, entity_name: name ?? null, errors }
  })
}

function fieldsOf(problems: readonly Problem[]): Readonly<Record<string, unknown>> {
  const whole = problems.filter(({ path }) => path === '').map(({ message }) => message)
  const fields = problems.flatMap(({ path, message }) => (path === '' ? [] : [[path, message]]))
  return { ...Object.fromEntries(fields), ...(whole.length > 0 && { '@entity': whole }) }
}

/**
 * A line a problem, in the words of the entity that was sent. Its lines in the file are not told: it is not there yet.
 */
export const describeProblems = (error: ConfigurationError): string =>
  error.problems.map(withinEntity).map(describeProblem).join('\n')

function describeProblem({ file, line, column, path, message, entity }: Problem): string {
  if (!entity) return line === 0 ? `${file}: ${message}` : `${file}:${line}:${column}: ${message}`
  const name = entity.collection in singular ? singular[entity.collection as keyof typeof singular] : ''
  return `${name} ${entity.name}: ${path === '' ? '' : `${path}: `}${message}`
}

/** The path without the collection and index that it begins with in the file. */
const withinEntity = (problem: Problem): Problem =>
  problem.entity ? { ...problem, path: problem.path.split('.').slice(2).join('.') } : problem
