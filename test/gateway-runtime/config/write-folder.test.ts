import { chmod, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FolderChanged, readFolder, writeFolder } from '@gatehouse/gateway-runtime/config'
import { describe, expect, test } from '@jest/globals'
import { temporaryFolders } from '../../support/temporary-folder.ts'
import { addEntity } from './configurations.ts'

const newFolder = temporaryFolders()

async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await newFolder()
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return folder
}

describe('writing a folder', () => {
  test('writes what differs, and nothing else', async () => {
    const folder = await folderWith({ 'config.yaml': '# c\n', 'services.yaml': '# s\n' })
    const untouched = await stat(join(folder, 'services.yaml'), { bigint: true })
    const before = readFolder(folder)
    writeFolder(folder, before, addEntity(before, 'routes', { name: 'a' }))
    expect(await readFile(join(folder, 'config.yaml'), 'utf8')).toBe('# c\n\nroutes:\n  - { name: a }\n')
    expect(await stat(join(folder, 'services.yaml'), { bigint: true })).toMatchObject({
      ino: untouched.ino,
      mtimeNs: untouched.mtimeNs,
    })
    expect((await readdir(folder)).sort()).toEqual(['config.yaml', 'services.yaml'])
  })

  test('keeps the mode, and gives new files to owner and group only', async () => {
    const folder = await folderWith({ 'config.yaml': 'a' })
    await chmod(join(folder, 'config.yaml'), 0o604)
    writeFolder(
      folder,
      readFolder(folder),
      new Map([
        ['config.yaml', 'b'],
        ['new.yaml', 'c'],
      ]),
    )
    expect((await stat(join(folder, 'config.yaml'))).mode & 0o777).toBe(0o604)
    expect((await stat(join(folder, 'new.yaml'))).mode & 0o777).toBe(0o640)
  })

  test('takes back what was written, with the files that it made', async () => {
    const folder = await folderWith({ 'a.yaml': 'a: 1\n' })
    const before = readFolder(folder)
    const after = addEntity(before, 'routes', { name: 'a' })
    writeFolder(folder, before, after)
    expect(readFolder(folder)).toEqual(new Map([...after].sort(([a]) => (a === 'config.yaml' ? -1 : 1))))
    writeFolder(folder, after, before)
    expect(readFolder(folder)).toEqual(before)
  })

  test('writes through a symbolic link', async () => {
    const folder = await folderWith({})
    await mkdir(join(folder, 'shared'))
    await writeFile(join(folder, 'shared/config.yaml'), 'a')
    await symlink('shared/config.yaml', join(folder, 'config.yaml'))
    writeFolder(folder, readFolder(folder), new Map([['config.yaml', 'b']]))
    expect((await lstat(join(folder, 'config.yaml'))).isSymbolicLink()).toBe(true)
    expect(await readFile(join(folder, 'shared/config.yaml'), 'utf8')).toBe('b')
  })

  test.each([
    ['was changed', { 'b.yaml': 'other' }],
    ['came to be', { 'new.yaml': 'other' }],
  ])('writes nothing at all when a file %s since', async (_, changes: Record<string, string>) => {
    const folder = await folderWith({ 'a.yaml': 'a', 'b.yaml': 'b' })
    const before = readFolder(folder)
    for (const [name, text] of Object.entries(changes)) await writeFile(join(folder, name), text)
    const after = new Map([
      ['a.yaml', 'A'],
      ['b.yaml', 'B'],
      ['new.yaml', 'N'],
    ])
    expect(() => writeFolder(folder, before, after)).toThrow(FolderChanged)
    expect(readFolder(folder)).toEqual(new Map([...before, ...Object.entries(changes)]))
  })

  test('writes beside no other folder', async () => {
    const folder = await folderWith({ 'a.yaml': 'a' })
    expect(() => writeFolder(folder, new Map(), new Map([['../b.yaml', 'b']]))).toThrow(
      'not the name of a file',
    )
  })
})
