import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigurationError, ProblemList } from './configuration-error.ts'
import { reasonOf } from './text-file.ts'
import { readOrReport } from './yaml-source.ts'

/** Text of each YAML file of a configuration folder by its name: `config.yaml`, `services.yaml`, then the others. */
export type FolderContents = ReadonlyMap<string, string>

const mostFiles = 256

/** Where an environment is provisioned; not for the gateway. */
const environmentFile = 'environment.yaml'

/**
 * Reads the `*.yaml` and `*.yml` files of a folder, but environment.yaml and hidden ones: up to 256 of up to 1 MiB.
 * @throws ConfigurationError when the folder is missing or has no such file, or one cannot be read or has no byte: most
 *   programs empty a file before they write it, and without its routes a gateway answers nothing
 */
export function readFolder(folder: string): FolderContents {
  const names = listFolder(folder)
    .filter((name) => /^[^.].*\.ya?ml$/.test(name) && name !== environmentFile)
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
  if (names.length === 0) {
    throw folderError(folder, 'no configuration here: it should hold config.yaml, and may hold services.yaml')
  }
  if (names.length > mostFiles) {
    throw folderError(folder, `${names.length} YAML files; at most ${mostFiles} are read`)
  }
  const problems = new ProblemList(names)
  const texts = names.map((name) => problems.collect(() => readFile(folder, name)))
  problems.throwIfAny()
  return new Map(names.map((name, index) => [name, texts[index]!]))
}

function readFile(folder: string, name: string): string {
  const text = readOrReport(join(folder, name), name)
  if (text !== '') return text
  const message = 'the file is empty: where it shall say nothing, delete it or write a comment into it'
  throw new ConfigurationError([{ file: name, line: 0, column: 0, path: '', message }])
}

function rank(name: string): number {
  if (/^config\.ya?ml$/.test(name)) return 0
  return /^services\.ya?ml$/.test(name) ? 1 : 2
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    throw folderError(folder, `the configuration folder cannot be read: ${reasonOf(error)}`)
  }
}

const folderError = (folder: string, message: string) =>
  new ConfigurationError([{ file: folder, line: 0, column: 0, path: '', message }])
