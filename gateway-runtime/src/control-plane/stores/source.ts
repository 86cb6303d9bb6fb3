import type { FolderContents } from '../../config/index.ts'

/** Where the texts of a configuration are kept. */
export interface ConfigurationSource {
  /** Who is told to have changed what was changed here: `files`, `postgres`. */
  readonly name: string
  /** Whether private keys may stand in the texts; where not, they are files of their own beside them. */
  readonly holdsKeys: boolean
  /** What the texts are now. */
  read(): Promise<FolderContents>
  /**
   * Makes them others, all or none.
   * @param author - who changes them
   * @throws an error with the code `folder-changed` or `store-conflict` where they are no longer what `before` says
   */
  write(before: FolderContents, after: FolderContents, author: string): Promise<void>
  /** Calls `onChange` when they may have changed; returns what ends that. */
  watch(onChange: () => void): () => void
  /** Told of texts that are in force. */
  accepted?(contents: FolderContents): void
  close(): Promise<void>
}
