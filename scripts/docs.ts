// `npm run docs`: writes the pages that follow from the code.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { configurationReference } from './docs/configuration-reference.ts'

await writeFile(join(import.meta.dirname, '../docs/configuration.md'), `${configurationReference()}\n`)
process.stdout.write('docs/configuration.md written\n')
