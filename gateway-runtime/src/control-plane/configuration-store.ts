import { isDeepStrictEqual } from 'node:util'
import {
  compile,
  type FolderContents,
  type LoadedConfiguration,
  loadConfiguration,
  type Snapshot,
} from '../config/index.ts'
import type { Author } from './audit-log.ts'
import { folderSource } from './stores/folder-source.ts'
import type { ConfigurationSource } from './stores/source.ts'

/** A configuration with what it was compiled to. */
export interface Current {
  /** The texts that it was read from. */
  readonly contents: FolderContents
  readonly loaded: LoadedConfiguration
  readonly snapshot: Snapshot
}

/** Who made a change, and by what. */
export interface Cause {
  readonly author: Author
  /** `PUT /routes/orders` */
  readonly request?: string
}

/** A change that is in force, and in the files. */
export interface Change {
  readonly before: Current
  readonly after: Current
  readonly cause: Cause
}

export interface StoreCallbacks {
  /** Puts a snapshot in force: resolves when it is, rejects when it was refused and the one before is in force. */
  onSnapshot(snapshot: Snapshot, loaded: LoadedConfiguration): Promise<void>
  /** Told why the files of the folder are not in force. */
  onRejected(error: Error): void
  /** Told of every change, whoever made it. */
  onChanged?(change: Change): void
}

/** A configuration that is right by itself, but cannot be put in force here: a port that is taken. */
export class ConfigurationRefused extends Error {
  override readonly name = 'ConfigurationRefused'
  readonly code = 'configuration-refused'
}

/** A change that was in force for a moment, and was taken back: it could not be written to the disk. */
export class ConfigurationNotWritten extends Error {
  override readonly name = 'ConfigurationNotWritten'
  readonly code = 'configuration-not-written'
}

/** More changes at once than a node takes. */
export class StoreBusy extends Error {
  override readonly name = 'StoreBusy'
  readonly code = 'busy'
}

/** Makes other texts of texts; `loaded`: what they say. */
export type Edit = (contents: FolderContents, loaded: LoadedConfiguration) => FolderContents

const mostWaiting = 256
const mostAttempts = 5
const byFiles: Cause = { author: { name: 'files' } }

/**
 * Owns the configuration folder of a node. Whatever changes the configuration goes through here, one change at a
 * time; what is in force and what the files say are the same, but while `lastError` says why not.
 */
export class ConfigurationStore {
  readonly folder: string
  readonly #callbacks: StoreCallbacks
  #current: Current | undefined
  #lastError: Error | undefined
  #source: ConfigurationSource
  #unwatch: (() => void) | undefined
  #waiting = 0
  #last: Promise<unknown> = Promise.resolve()

  constructor(folder: string, callbacks: StoreCallbacks) {
    this.folder = folder
    this.#callbacks = callbacks
    this.#source = folderSource(folder)
  }

  /** Takes texts from elsewhere than the files of the folder; before `open`. */
  useSource(source: ConfigurationSource): void {
    this.#source = source
  }

  /** Whether private keys may stand in the texts. */
  get holdsKeys(): boolean {
    return this.#source.holdsKeys
  }

  /**
   * Loads the folder for the first time; it is for the caller to put it in force.
   * @param lastGood - texts that were in force once, which are taken where those that there are cannot be
   * @throws ConfigurationError
   */
  async open(lastGood?: FolderContents): Promise<Current> {
    try {
      this.#current = this.#load(await this.#source.read())
      this.#source.accepted?.(this.#current.contents)
    } catch (error) {
      if (!lastGood) throw error
      this.#current = this.#load(lastGood)
      this.#reject(error as Error)
    }
    return this.#current
  }

  /** What is in force. */
  get current(): Current {
    if (!this.#current) throw new Error('the configuration was not opened yet')
    return this.#current
  }

  /** Why the files are not what is in force; undefined while they are. */
  get lastError(): Error | undefined {
    return this.#lastError
  }

  /**
   * Edits the files and puts the result in force; resolves with it when both are done. On any error both are as before.
   * @param edit - gets the texts of the folder as they are now and what they say, returns those to be; what it throws
   *   is thrown on
   * @param cause - what is told of the change; the files, where it is left out
   * @throws ConfigurationError, ConfigurationRefused, ConfigurationNotWritten, FolderChanged, StoreBusy
   */
  change(edit: Edit, cause: Cause = byFiles): Promise<Current> {
    return this.#inTurn(() => this.#change(edit, cause, mostAttempts))
  }

  /** What another node has written in between is read, and the edit made anew. */
  async #change(edit: Edit, cause: Cause, attempts: number): Promise<Current> {
    const previous = this.current
    const { contents: before, loaded } = await this.#base()
    const after = edit(before, loaded)
    const next = this.#load(after)
    if (next.snapshot.version !== previous.snapshot.version) await this.#putInForce(next)
    try {
      await this.#source.write(before, after, cause.author.name)
    } catch (error) {
      await this.#takeBack(next, previous)
      if (codeOf(error) === 'store-conflict' && attempts > 1) return this.#change(edit, cause, attempts - 1)
      throw isOwnError(error) ? error : notWritten(error)
    }
    this.#accept(next, cause)
    return next
  }

  /**
   * What `change` would put in force, without doing it.
   * @throws ConfigurationError, and what `edit` throws
   */
  async preview(edit: Edit): Promise<Current> {
    const { contents, loaded } = await this.#base()
    return this.#load(edit(contents, loaded))
  }

  /** The texts of the folder as they are now, and what they say. */
  async #base(): Promise<Pick<Current, 'contents' | 'loaded'>> {
    const contents = await this.#source.read()
    if (isDeepStrictEqual(contents, this.current.contents)) return this.current
    return this.#load(contents)
  }

  /**
   * Reads the folder again and puts it in force where it differs. Never rejects: resolves with why the files were
   * refused, or undefined when they are in force.
   * @param options.always - put it in force even where it is the same: certificates may have changed
   */
  async reload(options: { readonly always?: boolean } = {}): Promise<Error | undefined> {
    return this.#inTurn(() => this.#reload(options.always ?? false)).catch((error) => this.#reject(error))
  }

  /** Looks whether something has changed, as when a file of the folder did. */
  lookAgain(): Promise<void> {
    return this.#onFilesChanged()
  }

  /** Reloads by itself when a file changes, or has changed since `open`. */
  watch(): void {
    this.#unwatch ??= this.#source.watch(() => void this.#onFilesChanged())
    void this.#onFilesChanged()
  }

  /** Watches no longer. */
  async close(): Promise<void> {
    this.#unwatch?.()
    await this.#source.close()
  }

  async #reload(always: boolean): Promise<undefined> {
    const contents = await this.#source.read()
    // A watcher tells of what this node has written itself, too.
    if (!always && !this.#lastError && isDeepStrictEqual(contents, this.current.contents)) return
    const next = this.#load(contents)
    if (always || next.snapshot.version !== this.current.snapshot.version) await this.#putInForce(next)
    this.#accept(next, { author: { name: this.#source.name } })
  }

  /** A file that stays wrong is reported once, however often it is touched. */
  async #onFilesChanged(): Promise<void> {
    await this.#inTurn(() => this.#reload(false)).catch((error) => {
      if (error.message !== this.#lastError?.message) this.#reject(error)
    })
  }

  #load(contents: FolderContents): Current {
    const loaded = loadConfiguration(this.folder, {
      contents,
      checkFiles: true,
      keyTexts: this.#source.holdsKeys,
    })
    return { contents, loaded, snapshot: compile(loaded.configuration) }
  }

  async #putInForce({ snapshot, loaded }: Current): Promise<void> {
    try {
      await this.#callbacks.onSnapshot(snapshot, loaded)
    } catch (cause) {
      throw new ConfigurationRefused(`the gateway cannot take the configuration: ${reason(cause)}`, { cause })
    }
  }

  /** What is in force is what `current` says, even where it cannot be taken back: the next reload tries again. */
  async #takeBack(next: Current, previous: Current): Promise<void> {
    if (next.snapshot.version === previous.snapshot.version) return
    await this.#putInForce(previous).catch((error) => {
      this.#current = next
      this.#reject(error)
    })
  }

  #accept(next: Current, cause: Cause): void {
    const before = this.current
    this.#current = next
    this.#lastError = undefined
    this.#source.accepted?.(next.contents)
    if (
      before.snapshot.version !== next.snapshot.version ||
      !isDeepStrictEqual(shownOf(before), shownOf(next))
    )
      this.#callbacks.onChanged?.({ before, after: next, cause })
  }

  #reject(error: Error): Error {
    if (error instanceof StoreBusy) return error // says nothing of the files
    this.#lastError = error
    this.#callbacks.onRejected(error)
    return error
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#waiting >= mostWaiting) {
      return Promise.reject(new StoreBusy(`${mostWaiting} changes are waiting already; try again later`))
    }
    this.#waiting++
    const result = this.#last.then(work).finally(() => this.#waiting--)
    this.#last = result.catch(() => {})
    return result
  }
}

const shownOf = ({ loaded }: Current) => loaded.shown

const reason = (error: unknown) => (error instanceof Error ? error.message : String(error))

const codeOf = (error: unknown) => (error as { code?: unknown }).code

/** Errors that say themselves what to answer. */
const isOwnError = (error: unknown) =>
  ['folder-changed', 'store-conflict', 'store-unreachable'].includes(String(codeOf(error)))

const notWritten = (cause: unknown) =>
  new ConfigurationNotWritten(`the change was taken back, as it could not be written: ${reason(cause)}`, {
    cause,
  })
