export * from './duration.ts'
export * from './schema.ts'
export type * from './snapshot.ts'
