import { z } from 'zod'
import type { Exchange } from '../../contract.ts'
import { compileTemplate, templateSchema } from './template.ts'

const forbidden = /(^|\.)(__proto__|constructor|prototype)(\.|$)/
const pathSchema = z
  .string()
  .min(1)
  .max(256)
  .refine((path) => !forbidden.test(path), 'this name cannot be used')
const jsonSchema = z.union([templateSchema, z.number(), z.boolean(), z.null()])

/** Changes of a JSON object, by paths such as `customer.address.city`. */
export const jsonOperationsSchema = z
  .strictObject({
    remove: z.array(pathSchema).max(100).default([]),
    rename: z.record(pathSchema, pathSchema).default({}).describe('Old path → new path.'),
    replace: z.record(pathSchema, jsonSchema).default({}).describe('Only where it is there.'),
    add: z.record(pathSchema, jsonSchema).default({}).describe('Only where it is not there.'),
  })
  .prefault({})

export type JsonOperations = z.output<typeof jsonOperationsSchema>
type Json = Record<string, unknown>

/** Returns the body changed; undefined where it is no JSON object. */
export function compileJsonOperations(
  operations: JsonOperations,
): (exchange: Exchange, body: Buffer) => Buffer | undefined {
  const compiled = (values: JsonOperations['add']) =>
    Object.entries(values).map(([path, value]) => {
      const make = typeof value === 'string' ? compileTemplate(value) : () => value
      return [path.split('.'), make] as const
    })
  const replace = compiled(operations.replace)
  const add = compiled(operations.add)
  const remove = operations.remove.map((path) => path.split('.'))
  const rename = Object.entries(operations.rename).map(
    ([from, to]) => [from.split('.'), to.split('.')] as const,
  )
  return (exchange, body) => {
    const json = parseObject(body)
    if (!json) return undefined
    for (const path of remove) take(json, path)
    for (const [from, to] of rename) {
      const taken = take(json, from)
      if (taken !== undefined) put(json, to, taken)
    }
    for (const [path, make] of replace) if (has(json, path)) put(json, path, make(exchange))
    for (const [path, make] of add) if (!has(json, path)) put(json, path, make(exchange))
    return Buffer.from(JSON.stringify(json))
  }
}

/** Whether there is nothing to do. */
export const hasNoJsonOperations = ({ remove, rename, replace, add }: JsonOperations): boolean =>
  remove.length === 0 && [rename, replace, add].every((values) => Object.keys(values).length === 0)

export const isJson = (contentType: string | undefined): boolean =>
  /^application\/([a-z0-9.+-]+\+)?json\s*(;|$)/i.test(contentType ?? '')

function parseObject(body: Buffer): Json | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The object that a path leads into, and the last name. */
function ownerOf(json: Json, path: readonly string[]): Json | undefined {
  let owner = json
  for (const name of path.slice(0, -1)) {
    const next = Object.hasOwn(owner, name) ? owner[name] : undefined
    if (!isObject(next)) return undefined
    owner = next
  }
  return owner
}

function has(json: Json, path: readonly string[]): boolean {
  const owner = ownerOf(json, path)
  return owner !== undefined && Object.hasOwn(owner, path.at(-1)!)
}

function take(json: Json, path: readonly string[]): unknown {
  const owner = ownerOf(json, path)
  const name = path.at(-1)!
  if (!owner || !Object.hasOwn(owner, name)) return undefined
  const value = owner[name]
  delete owner[name]
  return value
}

/** Makes the objects on the way; where something else is in it, nothing is put. */
function put(json: Json, path: readonly string[], value: unknown): void {
  let owner = json
  for (const name of path.slice(0, -1)) {
    if (!Object.hasOwn(owner, name)) owner[name] = {}
    const next = owner[name]
    if (!isObject(next)) return
    owner = next
  }
  owner[path.at(-1)!] = value
}
