import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** A process, told from a later one of the same number by when it began (proc(5), field 22 of stat). */
export interface ProcessRecord {
  readonly pid: number
  readonly began: string
}

/** A host of a lab. */
export interface HostRecord {
  readonly name: string
  readonly address: string
  /** Folder with its file system while it is mounted. */
  readonly root: string
  /** Network namespace that it lives in. */
  readonly namespace: string
}

/**
 * All that a lab makes on this machine outside of its folder, written down before it is made: what was killed at any
 * moment can be taken down from this alone.
 */
export interface LabRecord {
  readonly name: string
  readonly folder: string
  /** First three octets of its network: `10.231.100`. */
  readonly subnet: string
  /** Network namespace that holds the bridge. */
  readonly namespace: string
  /** Interface by which this machine reaches the bridge. */
  readonly link: string
  /** The process that a lab ends with; undefined for one that stays until it is taken down. */
  readonly owner?: ProcessRecord
  readonly hosts: readonly HostRecord[]
}

export const cacheDirectory = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'gatehouse')
const labs = join(cacheDirectory, 'lab')

/** Folder of a lab by its name. */
export const labFolder = (name: string) => join(labs, name)
const fileOf = (folder: string) => join(folder, 'lab.json')

/** Writes it whole or not at all. */
export function writeRecord(record: LabRecord): void {
  mkdirSync(record.folder, { recursive: true, mode: 0o700 })
  const temporary = `${fileOf(record.folder)}.new`
  writeFileSync(temporary, `${JSON.stringify(record, null, 2)}\n`)
  renameSync(temporary, fileOf(record.folder))
}

/** What is written down of a lab; undefined where there is none. */
export function readRecord(name: string): LabRecord | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(labFolder(name)), 'utf8')) as LabRecord
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error(`${fileOf(labFolder(name))} cannot be read: ${(error as Error).message}`)
  }
}

/** Every lab that is written down. */
export function allRecords(): LabRecord[] {
  let names: string[] = []
  try {
    names = readdirSync(labs)
  } catch {}
  return names.flatMap((name) => readRecord(name) ?? [])
}

/** A process as it can be written down; undefined when it does not run. */
export function processRecord(pid: number): ProcessRecord | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the program, in parentheses, may hold blanks.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' ? undefined : { pid, began: fields[18]! }
  } catch {
    return undefined
  }
}

/** Whether that very process still runs. */
export const isAlive = (record: ProcessRecord | undefined): record is ProcessRecord =>
  record !== undefined && processRecord(record.pid)?.began === record.began
