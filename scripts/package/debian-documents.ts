import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { root } from '../process/tool.ts'
import { type Entry, file } from './archive.ts'
import { maintainer } from './debian-package.ts'

/** Gzip, as Debian's policy asks of manual pages and changelogs; without name, time and system. */
export function gzipped(text: string): Buffer {
  const packed = gzipSync(text, { level: 9 })
  packed[9] = 255 // the operating system it was packed on: must not change the bytes
  return packed
}

/** The copyright file that every package has (Debian Policy 12.5); `bundled`: licences of what it holds besides. */
export function copyright(name: string, bundled = ''): Entry {
  const { license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { license: string }
  if (license !== 'Apache-2.0') throw new Error(`copyright: expected the licence Apache-2.0, got ${license}`)
  const text = `Gatehouse, an API gateway.

Copyright: the authors of Gatehouse

License: Apache-2.0
 On Debian systems, the text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
`
  return file(`usr/share/doc/${name}/copyright`, bundled === '' ? text : `${text}\n${bundled.trimEnd()}\n`)
}

/** The changelog that every package has (Debian Policy 12.7): this version, at the time of its sources. */
export const changelog = (name: string, version: string, time: number): Entry =>
  file(
    `usr/share/doc/${name}/changelog.gz`,
    gzipped(`${name} (${version}) stable; urgency=medium

  * Version ${version}: see CHANGELOG.md of the source.

 -- ${maintainer}  ${new Date(time * 1_000).toUTCString().replace('GMT', '+0000')}
`),
  )
