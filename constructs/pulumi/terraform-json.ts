/** A value of Terraform's JSON syntax. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

export type JsonObject = { readonly [key: string]: Json }

/** A stack in Terraform's JSON syntax, as cdktf writes it. */
export interface TerraformJson {
  readonly provider?: Readonly<Record<string, readonly JsonObject[]>>
  readonly resource?: Readonly<Record<string, Readonly<Record<string, JsonObject>>>>
  readonly data?: Readonly<Record<string, Readonly<Record<string, JsonObject>>>>
  readonly output?: Readonly<Record<string, Output>>
  readonly variable?: Readonly<Record<string, Variable>>
  readonly locals?: JsonObject
}

export interface Output {
  readonly value: Json
  readonly sensitive?: boolean
}

export interface Variable {
  readonly default?: Json
  readonly sensitive?: boolean
}

export const isObject = (value: unknown): value is JsonObject =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** Blocks stand as an object where there is one, else as a list. */
export const blocks = (value: Json | undefined): readonly Json[] =>
  value === undefined || value === null ? [] : Array.isArray(value) ? value : [value as Json]
