import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Configuration } from '../../config/index.ts'

/** Where certificates are kept that are on this node alone. */
export const certificateFolder = (state: string): string => join(state, 'certificates')

/** Whether there is anything to do: where not, the node need not load what orders and keeps certificates. */
export const needsCertificates = ({ acme, certificate_store }: Configuration, state: string): boolean =>
  acme !== undefined || certificate_store.kind !== 'file' || existsSync(certificateFolder(state))
