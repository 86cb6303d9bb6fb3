import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Configuration, type FolderContents, loadConfiguration } from '../config/index.ts'
import { ErrorLog } from '../telemetry/error-log.ts'
import { History } from './history.ts'
import { OperationalError } from './operational-error.ts'
import { openSharedStore, type SharedStore } from './stores/shared-store.ts'

/** What a node reads its configuration from. */
export interface OpenedStore {
  readonly errorLog: ErrorLog
  /** Undefined: the files of the folder. */
  readonly shared: SharedStore | undefined
  /** Texts that were in force last; undefined before the first start. */
  readonly lastGood: FolderContents | undefined
}

/**
 * Opens the store that the files of a folder name, or where these are gone or wrong, the texts that were in force last.
 * @param state - the node's folder for what it keeps for itself
 * @throws ConfigurationError, OperationalError
 */
export async function openStore(folder: string, state: string): Promise<OpenedStore> {
  const lastGood = lastContents(state)
  const { logs, store, postgres, s3 } = readSettings(folder, lastGood)
  const errorLog = openErrorLog(logs.directory)
  if (store === 'files') return { errorLog, lastGood, shared: undefined }
  mkdirSync(state, { recursive: true, mode: 0o700 })
  return {
    errorLog,
    lastGood,
    shared: await openSharedStore(store, { folder, state, postgres, s3 }, errorLog),
  }
}

function readSettings(folder: string, lastGood: FolderContents | undefined): Configuration {
  try {
    return loadConfiguration(folder).configuration
  } catch (error) {
    if (!lastGood) throw error
    return loadConfiguration(folder, { contents: lastGood, keyTexts: true }).configuration
  }
}

/** The texts of the newest entry of the history. */
function lastContents(state: string): FolderContents | undefined {
  if (!existsSync(join(state, 'history'))) return undefined
  const history = new History(state)
  const [last] = history.list()
  return last && history.contents(last.id)
}

function openErrorLog(directory: string): ErrorLog {
  try {
    return new ErrorLog(directory)
  } catch (error) {
    const reason = `cannot write logs: ${(error as Error).message}; set logs.directory in config.yaml`
    throw new OperationalError(reason, { cause: error })
  }
}
