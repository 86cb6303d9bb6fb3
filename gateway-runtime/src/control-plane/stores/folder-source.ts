import { readFolder, writeFolder } from '../../config/index.ts'
import { FolderWatcher } from '../folder-watcher.ts'
import type { ConfigurationSource } from './source.ts'

/** The files of a folder, as people edit them. */
export const folderSource = (folder: string): ConfigurationSource => ({
  name: 'files',
  holdsKeys: false,
  read: async () => readFolder(folder),
  write: async (before, after) => writeFolder(folder, before, after),
  watch(onChange) {
    const watcher = new FolderWatcher(folder, onChange, (name) => /\.ya?ml$/.test(name))
    return () => watcher.close()
  },
  close: async () => {},
})
