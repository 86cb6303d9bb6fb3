import type { Configuration } from '../../config/index.ts'
import { s3Schema } from '../../config/s3-settings.ts'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import type { ConfigurationSource } from './source.ts'

/** A store that several nodes have in common. */
export interface SharedStore extends ConfigurationSource {
  /** Whether it answered when it was last asked. */
  readonly isReachable: boolean
}

export interface SharedStoreSettings extends Pick<Configuration, 'postgres' | 's3'> {
  /** Of the configuration. */
  readonly folder: string
  /** Where the node keeps its copy. */
  readonly state: string
}

/** Opens the store that the configuration names; what speaks to it is loaded only now. */
export async function openSharedStore(
  store: Exclude<Configuration['store'], 'files'>,
  { folder, state, postgres, s3 }: SharedStoreSettings,
  errorLog: ErrorLog,
): Promise<SharedStore> {
  if (store === 'postgres') {
    const { PostgresSource } = await import('./postgres-source.ts')
    return new PostgresSource(folder, state, postgres!, errorLog)
  }
  const { S3Source } = await import('./s3-source.ts')
  return new S3Source(folder, state, store, s3 ?? s3Schema.parse({}), errorLog)
}
