/*
 * What the files of a user's own plugins import, as `@gatehouse/gateway-runtime/plugin`. The gateway resolves that
 * name to itself: such files need nothing installed beside them.
 */
export { z } from 'zod'
export * from './contract.ts'
