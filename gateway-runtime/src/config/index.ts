/** The one zod of the project: schemas of environments are reported by the same code as configurations. */
export { z } from 'zod'
export * from './duration.ts'
export * from './schema.ts'
export type * from './snapshot.ts'
