import { z } from 'zod'
import { Parameter } from './parameter.ts'
import { type ParameterIn, stylesOf } from './parameter-styles.ts'
import { PathTemplates, templateNames } from './path-templates.ts'
import { type BodySettings, bodyCheck, type FieldWritings, isChecked, mediaType } from './request-body.ts'
import { DocumentError, type Place, placeOf, SchemaSource } from './schema-source.ts'

const mostOperations = 2_000
const mostValues = 200_000
const deepest = 100
const longestWay = 16

/** What requests of one operation must be like. */
export interface Operation {
  readonly parameters: readonly Parameter[]
  /** Undefined where the document says nothing of a body. */
  readonly body: BodySettings | undefined
}

/** Operations of a path by their method, in upper case. */
export type Operations = ReadonlyMap<string, Operation>

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const
const mapping = z.record(z.string(), z.unknown())
const style = z.enum(['matrix', 'label', 'simple', 'form', 'spaceDelimited', 'pipeDelimited', 'deepObject'])
const documentSchema = z.looseObject({
  openapi: z.string().regex(/^3\.1\.\d+$/, 'expected a document of OpenAPI 3.1'),
  paths: mapping.default({}),
  components: z.looseObject({ schemas: mapping.default({}) }).prefault({}),
})
const pathItemSchema = z.looseObject({ parameters: z.array(z.unknown()).default([]) })
const operationSchema = z.looseObject({
  parameters: z.array(z.unknown()).default([]),
  requestBody: mapping.optional(),
})
const parameterSchema = z.looseObject({
  name: z.string().min(1),
  in: z.enum(['path', 'query', 'header', 'cookie']),
  required: z.boolean().default(false),
  allowEmptyValue: z.boolean().default(false),
  style: style.optional(),
  explode: z.boolean().optional(),
  schema: z.unknown().optional(),
  content: mapping.optional(),
})
const bodySchema = z.looseObject({ required: z.boolean().default(false), content: mapping })
const mediaTypeSchema = z.looseObject({
  schema: z.unknown().optional(),
  encoding: z
    .record(z.string(), z.looseObject({ style: style.optional(), explode: z.boolean().optional() }))
    .default({}),
})

/**
 * Makes the operations of an OpenAPI document ready, one with each step, so that whoever has other work can do it
 * between them.
 * @throws DocumentError for what is wrong with the document
 */
export function* compileDocument(document: unknown): Generator<undefined, PathTemplates<Operations>> {
  checkSize(document)
  const { paths, components } = parse(documentSchema, document, [])
  const source = new SchemaSource(document)
  for (const name of Object.keys(components.schemas)) {
    source.check(['components', 'schemas', name])
    yield
  }
  const templates = new PathTemplates<Operations>()
  let count = 0
  for (const template of Object.keys(paths).filter((name) => !name.startsWith('x-'))) {
    const place = ['paths', template]
    if (!template.startsWith('/')) throw new DocumentError(place, 'expected a path, which begins with "/"')
    const operations = new Map<string, Operation>()
    for (const compiled of operationsOf(source, template)) {
      if (++count > mostOperations) throw new DocumentError(place, `more than ${mostOperations} operations`)
      operations.set(...compiled)
      yield
    }
    if (!templates.add(template, operations)) throw new DocumentError(place, 'another path has the same form')
  }
  return templates
}

/** Also ends documents that contain themselves, as aliases of YAML can make them. */
function checkSize(document: unknown): void {
  let count = 0
  const visit = (value: unknown, place: Place): void => {
    if (++count > mostValues) throw new DocumentError([], `more than ${mostValues} values`)
    if (place.length > deepest) throw new DocumentError([], `nested more than ${deepest} levels deep`)
    if (typeof value !== 'object' || value === null) return
    for (const [name, part] of Object.entries(value)) visit(part, [...place, name])
  }
  visit(document, [])
}

function* operationsOf(source: SchemaSource, template: string): Generator<readonly [string, Operation]> {
  const itemPlace = follow(source, ['paths', template])
  const item = parse(pathItemSchema, source.at(itemPlace), itemPlace)
  const shared = item.parameters.map((_, index) => follow(source, [...itemPlace, 'parameters', `${index}`]))
  for (const method of methods) {
    if (item[method] === undefined) continue
    const place = [...itemPlace, method]
    const { parameters, requestBody } = parse(operationSchema, item[method], place)
    const own = parameters.map((_, index) => follow(source, [...place, 'parameters', `${index}`]))
    const operation = {
      parameters: parametersOf(source, [...shared, ...own], { template, place }),
      body: requestBody && bodyOf(source, follow(source, [...place, 'requestBody'])),
    }
    yield [method.toUpperCase(), operation]
  }
}

interface OperationPlace {
  readonly template: string
  readonly place: Place
}

/** A parameter of an operation takes the place of that of its path. */
function parametersOf(source: SchemaSource, places: readonly Place[], of: OperationPlace): Parameter[] {
  const described = new Map<string, { place: Place; settings: z.output<typeof parameterSchema> }>()
  for (const place of places) {
    const settings = parse(parameterSchema, source.at(place), place)
    described.set(`${settings.in} ${settings.name}`, { place, settings })
  }
  const names = templateNames(of.template)
  for (const name of names) {
    if (!described.has(`path ${name}`))
      throw new DocumentError(of.place, `no parameter "${name}" in path, which its path has`)
  }
  const otherNames = new Set([...described.values()].map(({ settings }) => settings.name))
  const ignored = new Set(['header accept', 'header content-type', 'header authorization'])
  return [...described.values()]
    .filter(({ settings }) => !ignored.has(`${settings.in} ${settings.name.toLowerCase()}`))
    .map(({ place, settings }) => {
      if (settings.in === 'path' && !names.includes(settings.name))
        throw new DocumentError(place, `the path ${of.template} has no {${settings.name}}`)
      return compileParameter(source, place, settings, otherNames)
    })
}

function compileParameter(
  source: SchemaSource,
  place: Place,
  settings: z.output<typeof parameterSchema>,
  otherNames: ReadonlySet<string>,
): Parameter {
  const { name, allowEmptyValue: allowEmpty, content } = settings
  const where: ParameterIn = settings.in
  const styles = stylesOf[where]
  const writing = settings.style ?? styles[0]!
  if (!styles.includes(writing))
    throw new DocumentError([...place, 'style'], `a parameter in ${where} cannot have the style ${writing}`)
  const [type, ...more] = Object.keys(content ?? {})
  if ((type === undefined) === (settings.schema === undefined) || more.length > 0)
    throw new DocumentError(place, 'expected either schema or one type in content')
  const schema = type === undefined ? [...place, 'schema'] : [...place, 'content', type, 'schema']
  return new Parameter(
    {
      name,
      in: where,
      required: settings.required || where === 'path',
      allowEmpty,
      style: writing,
      explode: settings.explode ?? writing === 'form',
      isJson: type !== undefined && /json$/.test(mediaType(type)),
      otherNames,
    },
    source,
    schema,
  )
}

function bodyOf(source: SchemaSource, place: Place): BodySettings {
  const { required, content } = parse(bodySchema, source.at(place), place)
  const checks = Object.entries(content).map(([range, value]) => {
    const at = [...place, 'content', range]
    const { schema, encoding } = parse(mediaTypeSchema, value, at)
    const type = mediaType(range)
    if (schema === undefined || !isChecked(type)) return [type, undefined] as const
    return [type, bodyCheck(type, source, [...at, 'schema'], writingsOf(encoding))] as const
  })
  return { required, checks: new Map(checks) }
}

const writingsOf = (encoding: z.output<typeof mediaTypeSchema>['encoding']): FieldWritings =>
  Object.fromEntries(
    Object.entries(encoding).map(([name, { style: written = 'form', explode }]) => [
      name,
      { style: written, explode: explode ?? written === 'form' },
    ]),
  )

/** Where something stands in truth that may be a reference. */
function follow(source: SchemaSource, place: Place): Place {
  let at = place
  for (let way = 0; way < longestWay; way++) {
    const value = source.at(at)
    const reference = (value as { $ref?: unknown } | null | undefined)?.$ref
    if (value === undefined) throw new DocumentError(place, 'it refers to what the document does not have')
    if (reference === undefined) return at
    const target = typeof reference === 'string' ? placeOf(reference) : undefined
    if (!target) throw new DocumentError(at, 'expected a reference inside the document, as "#/components/…"')
    at = target
  }
  throw new DocumentError(place, 'its references lead to no end')
}

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown, place: Place): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new DocumentError([...place, ...issue!.path.map(String)], issue!.message)
}
