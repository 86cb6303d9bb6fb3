import type { DescFile, DescMethod, Registry } from '@bufbuild/protobuf'
import { BinaryReader } from '@bufbuild/protobuf/wire'

/** A binding of a method to HTTP (googleapis/google/api/http.proto). */
export interface HttpRule {
  readonly verb: string
  /** `/v1/{name=shelves/*}/books/{id}` */
  readonly path: string
  /** The field that the body of a request is; `*`: the message itself; '': there is none. */
  readonly body: string
  /** The field that the body of an answer is; '': the message itself. */
  readonly responseBody: string
}

export interface BoundMethod {
  readonly method: DescMethod
  readonly rule: HttpRule
}

/** Number of the extension google.api.http of google.protobuf.MethodOptions. */
const httpExtension = 72_295_728

/** All methods that have bindings, in the order of the files. Throws where an annotation cannot be read. */
export function boundMethods(registry: Registry & { readonly files: Iterable<DescFile> }): BoundMethod[] {
  const bound: BoundMethod[] = []
  for (const file of registry.files) {
    for (const { methods } of file.services) {
      for (const method of methods) {
        for (const { no, data } of method.proto.options?.$unknown ?? []) {
          if (no !== httpExtension) continue
          const reader = new BinaryReader(data)
          bound.push(...readRule(reader.bytes()).map((rule) => ({ method, rule })))
        }
      }
    }
  }
  return bound
}

const verbs: Readonly<Record<number, string>> = { 2: 'GET', 3: 'PUT', 4: 'POST', 5: 'DELETE', 6: 'PATCH' }

/** A rule and those that are `additional_bindings` of it. */
function readRule(bytes: Uint8Array): HttpRule[] {
  const reader = new BinaryReader(bytes)
  const own = { verb: '', path: '', body: '', responseBody: '' }
  const more: HttpRule[] = []
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    if (verbs[field]) Object.assign(own, { verb: verbs[field], path: reader.string() })
    else if (field === 7) own.body = reader.string()
    else if (field === 8) Object.assign(own, readCustom(reader.bytes()))
    else if (field === 11) more.push(...readRule(reader.bytes()))
    else if (field === 12) own.responseBody = reader.string()
    else reader.skip(type)
  }
  return own.path === '' ? more : [own, ...more]
}

/** `custom { kind: "HEAD" path: "/v1" }` */
function readCustom(bytes: Uint8Array): Pick<HttpRule, 'verb' | 'path'> {
  const reader = new BinaryReader(bytes)
  const custom = { verb: '', path: '' }
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    if (field === 1) custom.verb = reader.string()
    else if (field === 2) custom.path = reader.string()
    else reader.skip(type)
  }
  return custom
}
