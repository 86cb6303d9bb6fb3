import { z } from 'zod'
import { configurationSchema } from './schema.ts'

/** A schema as JSON Schema (draft 2020-12) of what people write. */
export const jsonSchemaOf = (schema: z.ZodType): Readonly<Record<string, unknown>> =>
  z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    // A default behind a transformation (times) is left out otherwise.
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod
      if (def.type === 'default')
        jsonSchema.default ??= (def as { defaultValue: unknown }).defaultValue as never
    },
  }) as Readonly<Record<string, unknown>>

/** The schema of a configuration as people write it, as JSON Schema (draft 2020-12). */
export const configurationJsonSchema = (): object => jsonSchemaOf(configurationSchema)
