import { z } from 'zod'
import type { Exchange } from '../../contract.ts'
import { compileTemplate, templateSchema } from './template.ts'

/** Named values that can be read and changed: headers, or the parameters of a query. */
export interface NamedValues {
  get(name: string): string | undefined
  set(name: string, value: string): void
  delete(name: string): void
}

/** The changes of one kind of named values; `name` is the schema of a name. */
export const fieldOperationsSchema = (name: z.ZodString) => {
  const values = z.record(name, templateSchema).default({})
  return z
    .strictObject({
      remove: z.array(name).max(100).default([]),
      rename: z.record(name, name).default({}).describe('Old name → new name.'),
      replace: values.describe('Only where it is there.'),
      add: values.describe('Only where it is not there.'),
      append: values.describe('Behind what is there, with a comma.'),
    })
    .prefault({})
}

export type FieldOperations = z.output<ReturnType<typeof fieldOperationsSchema>>

/** Carries the changes out, in the order remove, rename, replace, add, append; a value that is empty is not set. */
export function compileFieldOperations(
  operations: FieldOperations,
): (exchange: Exchange, values: NamedValues) => void {
  const compiled = (texts: Record<string, string>) =>
    Object.entries(texts).map(([name, text]) => [name, compileTemplate(text)] as const)
  const [replace, add, append] = [operations.replace, operations.add, operations.append].map(compiled)
  const renames = Object.entries(operations.rename)
  return (exchange, values) => {
    for (const name of operations.remove) values.delete(name)
    for (const [from, to] of renames) rename(values, from, to)
    for (const [name, template] of replace!)
      if (values.get(name) !== undefined) setUnlessEmpty(values, name, template(exchange))
    for (const [name, template] of add!)
      if (values.get(name) === undefined) setUnlessEmpty(values, name, template(exchange))
    for (const [name, template] of append!) appendTo(values, name, template(exchange))
  }
}

function rename(values: NamedValues, from: string, to: string): void {
  const value = values.get(from)
  if (value === undefined) return
  values.delete(from)
  values.set(to, value)
}

function setUnlessEmpty(values: NamedValues, name: string, text: string): void {
  if (text !== '') values.set(name, text)
}

function appendTo(values: NamedValues, name: string, text: string): void {
  const known = values.get(name)
  if (text !== '') values.set(name, known === undefined ? text : `${known}, ${text}`)
}

/** Whether there is nothing to do. */
export const hasNoOperations = (operations: FieldOperations): boolean =>
  operations.remove.length === 0 &&
  [operations.rename, operations.replace, operations.add, operations.append].every(
    (texts) => Object.keys(texts).length === 0,
  )
