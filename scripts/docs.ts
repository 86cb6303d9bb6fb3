// `npm run docs`: writes the pages that follow from the code.
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { configurationReference } from './docs/configuration-reference.ts'
import { constructPages } from './docs/construct-pages.ts'
import { environmentReference } from './docs/environment-reference.ts'
import { pluginPages } from './docs/plugin-pages.ts'

const docs = join(import.meta.dirname, '../docs')
const folder = join(docs, 'plugins')
const textOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined)

await writeFile(join(docs, 'configuration.md'), `${configurationReference()}\n`)
await mkdir(folder, { recursive: true })
const pages = pluginPages((file) => textOf(join(folder, file)))
for (const [file, text] of pages) await writeFile(join(folder, file), text)
await writeFile(join(docs, 'environment.md'), `${environmentReference()}\n`)
const constructs = constructPages()
await mkdir(join(docs, 'constructs'), { recursive: true })
for (const [file, text] of constructs) await writeFile(join(docs, 'constructs', file), text)
process.stdout.write(
  `docs/configuration.md, docs/environment.md, ${pages.size} pages of docs/plugins and ${constructs.size} of docs/constructs written\n`,
)
