import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { ar, directory, file, link, tar } from '../../../scripts/package/archive.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'

const folder = temporaryFolders()
const run = (program: string, ...args: string[]) => execFileSync(program, args, { encoding: 'utf8' })

describe('tar', () => {
  const entries = [
    file('usr/bin/program', 'text', 0o755),
    link('usr/bin/other', 'program'),
    directory('etc/secret', 0o700),
    file('empty', ''),
  ]

  test('gives what tar(1) lists with folders, modes, owner and time, sorted', async () => {
    const path = join(await folder(), 'a.tar')
    await writeFile(path, tar(entries, 1_700_000_000, './'))
    const lines = run('tar', '--list', '--verbose', '--full-time', '--utc', '--file', path)
      .trim()
      .split('\n')
      .map((line) => line.replace(/\s+/g, ' '))
    const time = '2023-11-14 22:13:20'
    expect(lines).toEqual([
      `-rw-r--r-- root/root 0 ${time} ./empty`,
      `drwxr-xr-x root/root 0 ${time} ./etc/`,
      `drwx------ root/root 0 ${time} ./etc/secret/`,
      `drwxr-xr-x root/root 0 ${time} ./usr/`,
      `drwxr-xr-x root/root 0 ${time} ./usr/bin/`,
      `lrwxrwxrwx root/root 0 ${time} ./usr/bin/other -> program`,
      `-rwxr-xr-x root/root 4 ${time} ./usr/bin/program`,
    ])
  })

  test('gives files whose bytes come out again', async () => {
    const target = await folder()
    const content = Buffer.from(Array.from({ length: 1_500 }, (_, index) => index % 256))
    await writeFile(join(target, 'a.tar'), tar([file('a/b', content)], 0))
    run('tar', '--extract', '--directory', target, '--file', join(target, 'a.tar'))
    expect(await readFile(join(target, 'a/b'))).toEqual(content)
  })

  test('does not depend on the order of the entries', () => {
    expect(tar([...entries].reverse(), 7).equals(tar(entries, 7))).toBe(true)
  })

  test('refuses a path that does not fit, and one that stands there twice', () => {
    expect(() => tar([file('x'.repeat(101), '')], 0)).toThrow('longer than the 100 bytes')
    expect(() => tar([file('a', '1'), file('a', '2')], 0)).toThrow('a stands there twice')
  })
})

test('ar gives what ar(1) reads, members of odd length too', async () => {
  const path = join(await folder(), 'a.ar')
  await writeFile(
    path,
    ar(
      [
        ['odd', Buffer.from('123')],
        ['even', Buffer.from('12')],
      ],
      9,
    ),
  )
  expect(run('ar', 't', path)).toBe('odd\neven\n')
  expect(run('ar', 'p', path, 'even')).toBe('12')
})
