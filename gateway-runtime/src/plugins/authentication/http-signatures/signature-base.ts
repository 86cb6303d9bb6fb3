import {
  type InnerList,
  type Item,
  isInnerList,
  parseDictionary,
  writeItem,
  writeMember,
} from './structured-fields.ts'

/** A request as signatures see it. */
export interface SignedRequest {
  readonly method: string
  readonly scheme: string
  /** In lower case, without the port that is usual for the scheme. */
  readonly authority: string
  readonly path: string
  /** With its question mark, or ''. */
  readonly query: string
  /** Names in lower case. */
  headers(): Iterable<readonly [name: string, value: string]>
}

/** A component that a request does not have, or that cannot be signed. The message says which and why. */
export class NoSuchComponent extends Error {
  override readonly name = 'NoSuchComponent'
}

/**
 * What is signed (RFC 9421 section 2.5): the components in their order, then the parameters.
 * @throws NoSuchComponent
 */
export function signatureBase(request: SignedRequest, input: InnerList): string {
  let base = ''
  const seen = new Set<string>()
  for (const component of input.items) {
    const identifier = writeItem(component)
    if (seen.has(identifier)) throw new NoSuchComponent(`the component ${identifier} stands twice`)
    seen.add(identifier)
    base += `${identifier}: ${componentValue(request, component)}\n`
  }
  return `${base}"@signature-params": ${writeMember(input)}`
}

function componentValue(request: SignedRequest, component: Item): string {
  const { bare, parameters } = component
  if (bare.type !== 'string') throw new NoSuchComponent('the name of a component is a string')
  const name = bare.value
  if (name === '@query-param') return queryParam(request, component)
  if (name.startsWith('@')) {
    const derive = derived[name]
    if (!derive || parameters.size > 0)
      throw new NoSuchComponent(`${writeItem(component)} is no component here`)
    return derive(request)
  }
  return fieldValue(request, name, component)
}

/** Derived components of requests (section 2.2). */
const derived: Record<string, (request: SignedRequest) => string> = {
  // An object without a prototype: names come from clients.
  __proto__: null as never,
  '@method': ({ method }) => method,
  '@scheme': ({ scheme }) => scheme,
  '@authority': ({ authority }) => authority,
  '@path': ({ path }) => path || '/',
  '@query': ({ query }) => query || '?',
  '@request-target': ({ path, query }) => (path || '/') + query,
  '@target-uri': ({ scheme, authority, path, query }) => `${scheme}://${authority}${path || '/'}${query}`,
}

/** Section 2.2.8: a parameter that stands there once. */
function queryParam({ query }: SignedRequest, component: Item): string {
  const name = component.parameters.get('name')
  if (name?.type !== 'string' || component.parameters.size > 1)
    throw new NoSuchComponent('"@query-param" needs a name, and nothing else')
  const values = new URLSearchParams(query).getAll(decodeParameter(name.value))
  if (values.length !== 1)
    throw new NoSuchComponent(`${writeItem(component)} stands there ${values.length} times`)
  return encodeURIComponent(values[0]!.toWellFormed()).replace(
    /[!'()~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

const decodeParameter = (text: string): string =>
  [...new URLSearchParams(`?${text.replaceAll('&', '%26')}=`).keys()][0] ?? ''

/** Sections 2.1, 2.1.2 and 2.1.3. */
function fieldValue(request: SignedRequest, name: string, component: Item): string {
  const values: string[] = []
  for (const [field, value] of request.headers()) if (field === name) values.push(value.trim())
  if (values.length === 0) throw new NoSuchComponent(`the request has no field ${writeItem(component)}`)
  const { parameters } = component
  if (parameters.size === 0) return values.join(', ')
  const [[parameter, value]] = [...parameters] as [[string, Item['bare']]]
  if (parameters.size === 1 && parameter === 'bs' && value.type === 'boolean')
    return values.map((text) => `:${Buffer.from(text, 'latin1').toString('base64')}:`).join(', ')
  if (parameters.size === 1 && parameter === 'key' && value.type === 'string') {
    const member = parseDictionary(values.join(', '))?.get(value.value)
    if (member) return isInnerList(member) ? writeMember(member) : writeItem(member)
  }
  throw new NoSuchComponent(`${writeItem(component)} is no component here`)
}
