import { setImmediate } from 'node:timers/promises'
import type { Exchange, PluginHandlers, PluginRequest, ProblemReply, Reply } from '../../contract.ts'
import { compileDocument, type Operation, type Operations } from './openapi-document.ts'
import type { PathTemplates } from './path-templates.ts'
import { checkBody } from './request-body.ts'
import type { Refuse, ValidatorSettings } from './request-validator.ts'
import { DocumentError, pointerOf } from './schema-source.ts'
import { SentRequest } from './sent-request.ts'

/** Handlers for a document of OpenAPI, which is made ready beside the requests that are under way. */
export function openapiValidator(
  document: string | object,
  config: ValidatorSettings,
  refuse: Refuse,
  countRefused: () => void,
): PluginHandlers {
  let templates: PathTemplates<Operations> | undefined
  const ready = compile(document).then((compiled) => {
    templates = compiled
  })
  ready.catch(() => {}) // whoever waits for it is told
  const validate = (exchange: Exchange): Reply | undefined | Promise<Reply | undefined> => {
    const found = findOperation(templates!, exchange.request, config.base_path)
    if ('operation' in found) return validateOperation(exchange.request, found, config, refuse)
    if (config.unknown_operations === 'pass') return undefined
    countRefused()
    if (!found.allow) return noPath
    exchange.addResponseHeader('allow', found.allow.join(', '))
    return noMethod
  }
  return {
    ready,
    onRequest: (exchange) => (templates ? validate(exchange) : ready.then(() => validate(exchange))),
  }
}

const noPath: ProblemReply = { status: 404, code: 'unknown-path', detail: 'The API has no such path.' }
const noMethod: ProblemReply = {
  status: 405,
  code: 'unknown-method',
  detail: 'The API has no such method for this path.',
}

/** What reads YAML is not loaded where the document stands in the configuration. */
async function read(file: string): Promise<unknown> {
  const { readDocument } = await import('./openapi-file.ts')
  return readDocument(file)
}

/** Lets go of the thread after each operation. */
async function compile(document: string | object): Promise<PathTemplates<Operations>> {
  const steps = compileDocument(typeof document === 'string' ? await read(document) : document)
  try {
    for (;;) {
      const step = steps.next()
      if (step.done) return step.value
      await setImmediate()
    }
  } catch (error) {
    if (!(error instanceof DocumentError) || typeof document !== 'string') throw error
    throw new Error(`openapi: ${document}, ${pointerOf(error.place)}: ${error.message}`, { cause: error })
  }
}

interface FoundOperation {
  readonly operation: Operation
  readonly values: ReadonlyMap<string, string>
}

/** Otherwise: the methods that the path has, or undefined where there is no such path. */
function findOperation(
  templates: PathTemplates<Operations>,
  request: PluginRequest,
  basePath: string,
): FoundOperation | { readonly allow: string[] | undefined } {
  const path = (request.upstreamTarget ?? request.path).replace(/\?.*/s, '')
  const rest = path.startsWith(basePath) ? path.slice(basePath.length) : undefined
  const match = rest === '' || rest?.startsWith('/') ? templates.match(rest) : undefined
  if (!match) return { allow: undefined }
  const { item: operations, values } = match
  // What is said of GET holds for HEAD (RFC 9110, section 9.3.2).
  const operation =
    operations.get(request.method) ?? (request.method === 'HEAD' ? operations.get('GET') : undefined)
  return operation ? { operation, values } : { allow: [...operations.keys()] }
}

function validateOperation(
  request: PluginRequest,
  { operation: { parameters, body }, values }: FoundOperation,
  config: ValidatorSettings,
  refuse: Refuse,
): ProblemReply | undefined | Promise<ProblemReply | undefined> {
  const sent = new SentRequest(request, values)
  const problems = parameters.flatMap((parameter) => parameter.problems(sent))
  if (problems.length > 0) return refuse(problems)
  if (!body || (request.contentLength === 0 && !body.required)) return undefined
  return checkBody(request, body, config.max_body).then((found) => {
    if (!Array.isArray(found)) return found
    return found.length > 0 ? refuse(found) : undefined
  })
}
