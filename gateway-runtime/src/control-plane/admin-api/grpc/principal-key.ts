import { createContextKey } from '@connectrpc/connect'
import type { Principal } from '../access.ts'

/** Who calls: found out before, as for REST. */
export const principalKey = createContextKey<Principal | undefined>(undefined)
