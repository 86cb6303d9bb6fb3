import { z } from 'zod'
import { configurationSchema } from './schema.ts'

/** The schema of a configuration as people write it, as JSON Schema (draft 2020-12). */
export const configurationJsonSchema = (): object =>
  z.toJSONSchema(configurationSchema, {
    io: 'input',
    unrepresentable: 'any',
    // A default behind a transformation (times) is left out otherwise.
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod
      if (def.type === 'default') jsonSchema.default ??= (def as { defaultValue: unknown }).defaultValue
    },
  })
