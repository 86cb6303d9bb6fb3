import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { rootLabel } from './root-file-system.ts'

const run = promisify(execFile)
const sector = 512
const modules = [
  'part_gpt',
  'ext2',
  'normal',
  'configfile',
  'linux',
  'search',
  'search_label',
  'serial',
  'echo',
]

/** Finds the root file system wherever the firmware has put the disk, and reads the menu there. */
const earlyConfiguration = `search --no-floppy --label ${rootLabel} --set=root
set prefix=($root)/boot/grub
configfile ($root)/boot/grub/grub.cfg
`

async function makeGrub(
  folder: string,
  format: 'i386-pc' | 'x86_64-efi',
  more: readonly string[],
): Promise<string> {
  const [early, output] = [join(folder, 'early.cfg'), join(folder, `grub.${format}`)]
  await writeFile(early, earlyConfiguration)
  const options = [`--format=${format}`, '--prefix=/boot/grub', `--config=${early}`, `--output=${output}`]
  await run('grub-mkimage', [...options, ...modules, ...more])
  return output
}

/** Path of the program that UEFI starts. */
export const makeUefiLoader = (folder: string): Promise<string> =>
  makeGrub(folder, 'x86_64-efi', ['efi_gop', 'all_video'])

export interface BiosLoader {
  /** First sector of the disk, of which the first 440 bytes are code. */
  readonly boot: Buffer
  /** What the partition for BIOS boot holds. */
  readonly core: Buffer
}

/**
 * The loader that a BIOS starts: its first sector reads the core, and the first sector of the core the rest of it. Both
 * are told where that is (GNU GRUB Manual, "Images"; grub-core/boot/i386/pc/boot.S and diskboot.S).
 * @param at - first sector of the partition for BIOS boot
 */
export async function makeBiosLoader(folder: string, at: number): Promise<BiosLoader> {
  const core = await readFile(await makeGrub(folder, 'i386-pc', ['biosdisk']))
  const boot = await readFile('/usr/lib/grub/i386-pc/boot.img')
  boot.writeBigUInt64LE(BigInt(at), 0x5c)
  boot.writeUInt16LE(0x9090, 0x66) // trust the drive number that the BIOS gives
  core.writeBigUInt64LE(BigInt(at + 1), sector - 12)
  core.writeUInt16LE(Math.ceil(core.length / sector) - 1, sector - 4)
  return { boot, core }
}
