import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, open, rename, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { missingPrograms } from '../process/system-programs.ts'
import { makeBiosLoader, makeUefiLoader } from './disk-image/boot-loader.ts'
import { espName, makeRootFileSystem, rootLabel } from './disk-image/root-file-system.ts'

const run = promisify(execFile)
const mebibyte = 1_048_576
const sectorsOf = (mebibytes: number) => mebibytes * 2_048

/** Partitions in MiB: what a BIOS loads, what UEFI loads, the root, which cloud-init grows to the size of the disk. */
const layout = { bios: [1, 1], esp: [2, 32], root: [34, 2_013] } as const
const diskSize = 2_048

/** Programs that make an image, with their packages. */
export const imagePrograms = {
  mmdebstrap: 'mmdebstrap',
  'grub-mkimage': 'grub-common, grub-pc-bin and grub-efi-amd64-bin',
  'mkfs.vfat': 'dosfstools',
  mcopy: 'mtools',
  'mkfs.ext4': 'e2fsprogs',
  sfdisk: 'fdisk',
} as const

/** Why no disk image can be made here; undefined where one can. */
export async function whyNoDiskImage(): Promise<string | undefined> {
  if (process.arch !== 'x64') return 'a disk image is made on amd64 only'
  if (process.getuid?.() !== 0) return 'a disk image needs root'
  const names = Object.keys(imagePrograms) as (keyof typeof imagePrograms)[]
  const [missing] = await missingPrograms(names)
  return missing && `a disk image needs ${missing}: install ${imagePrograms[missing]}`
}

/** The same identifier for the same version and part. RFC 9562, version 8. */
function identifier(version: string, part: string): string {
  const hex = createHash('sha256').update(`${version} ${part}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** What programs take for the time, and nothing of where and by whom they are run. */
const reproducibleEnvironment = (time: number): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: '/root',
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(TMPDIR|.*_proxy)$/i.test(name))),
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
  SOURCE_DATE_EPOCH: `${time}`,
  E2FSPROGS_FAKE_TIME: `${time}`,
})

export interface DiskImageOptions {
  /** Where the image is put. */
  readonly path: string
  /** Path of the package `gateway-runtime` for amd64. */
  readonly package: string
  readonly version: string
  /** Newest time of a file, in seconds since 1970. */
  readonly time: number
}

/**
 * Makes a raw disk image (GPT) for amd64 that boots by BIOS and UEFI, as a hypervisor starts it and AWS imports it
 * (VM Import, format RAW): a sparse file of 2 GiB. No mount and no loop device is needed, but root is. The same packages,
 * ours and those that the distribution has at the moment, give the same bytes.
 * @throws Error that says what is missing, or which step failed
 */
export async function makeDiskImage({
  path,
  package: package_,
  version,
  time,
}: DiskImageOptions): Promise<void> {
  const reason = await whyNoDiskImage()
  if (reason) throw new Error(reason)
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-disk-'))
  const disk = `${path}.new`
  try {
    const env = reproducibleEnvironment(time)
    await makeRootFileSystem(join(folder, 'root'), package_, time, env)
    await rm(disk, { force: true })
    await (await open(disk, 'wx', 0o644)).close()
    await truncate(disk, diskSize * mebibyte)
    await writePartitionTable(disk, version)
    await writeRoot(disk, join(folder, 'root'), version, time, env)
    await writeEsp(disk, folder, version, env)
    await writeBiosLoader(disk, folder)
    await rename(disk, path)
  } finally {
    await rm(disk, { force: true })
    await rm(folder, { recursive: true, force: true })
  }
}

async function writePartitionTable(disk: string, version: string): Promise<void> {
  const types = {
    bios: '21686148-6449-6E6F-744E-656564454649',
    esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
    root: '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709',
  }
  const lines = Object.entries(layout).map(([part, [start, size]]) => {
    const type = types[part as keyof typeof types]
    return `start=${sectorsOf(start)}, size=${sectorsOf(size)}, type=${type}, uuid=${identifier(version, part)}, name=${part}`
  })
  const table = ['label: gpt', `label-id: ${identifier(version, 'disk')}`, ...lines, ''].join('\n')
  const started = run('sfdisk', ['--quiet', disk])
  started.child.stdin?.end(table)
  await started
}

async function writeRoot(
  disk: string,
  root: string,
  version: string,
  time: number,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const [start, size] = layout.root
  const id = identifier(version, 'root')
  const offset = start * mebibyte
  const extended = `offset=${offset},root_owner=0:0,hash_seed=${identifier(version, 'hash')}`
  const options = ['-q', '-F', '-L', rootLabel, '-U', id, '-d', root, '-E', extended]
  await run('mkfs.ext4', [...options, disk, `${size}M`], { env, timeout: 300_000 })
  await settleTimes(`${disk}?offset=${offset}`, time, env)
}

/** `mkfs.ext4 -d` takes over when inodes were last changed and read where they came from, which nobody can set there. */
async function settleTimes(fileSystem: string, time: number, env: NodeJS.ProcessEnv): Promise<void> {
  const { stdout } = await run('dumpe2fs', ['-h', fileSystem], { env })
  const count = (what: string) => Number(new RegExp(`^${what}: +(\\d+)$`, 'm').exec(stdout)?.[1])
  const used = count('Inode count') - count('Free inodes')
  const settle = run('debugfs', ['-w', '-f', '-', fileSystem], { env, maxBuffer: 16_777_216 })
  // A file system that nothing was ever deleted from has its inodes one after the other.
  for (let inode = 1; inode <= used; inode++)
    for (const field of ['atime', 'ctime'])
      settle.child.stdin?.write(`set_inode_field <${inode}> ${field} @${time}\n`)
  settle.child.stdin?.end()
  await settle
}

async function writeEsp(
  disk: string,
  folder: string,
  version: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const [start, size] = layout.esp
  const esp = join(folder, 'esp.img')
  const serial = identifier(version, 'esp').slice(0, 8)
  await run('mkfs.vfat', ['--invariant', '-n', espName, '-i', serial, '-C', esp, `${size * 1_024}`])
  await run('mmd', ['-i', esp, '::/EFI', '::/EFI/BOOT'], { env })
  await run('mcopy', ['-i', esp, await makeUefiLoader(folder), '::/EFI/BOOT/BOOTX64.EFI'], { env })
  await run('dd', [`if=${esp}`, `of=${disk}`, 'bs=1M', `seek=${start}`, 'conv=notrunc,sparse', 'status=none'])
}

async function writeBiosLoader(disk: string, folder: string): Promise<void> {
  const [start, size] = layout.bios
  const { boot, core } = await makeBiosLoader(folder, sectorsOf(start))
  if (core.length > size * mebibyte) throw new Error('the boot loader does not fit into its partition')
  const file = await open(disk, 'r+')
  try {
    await file.write(boot, 0, 440, 0) // behind it are the protective partition table and its signature
    await file.write(core, 0, core.length, start * mebibyte)
  } finally {
    await file.close()
  }
}

/** What the image takes on the disk that it lies on, in bytes: most of it is a hole. */
export const allocatedBytes = async (path: string): Promise<number> => (await stat(path)).blocks * 512
