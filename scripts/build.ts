import { relative } from 'node:path'
import { buildGateway, distribution } from './build/bundle.ts'
import { seconds } from './terminal/progress.ts'
import { table } from './terminal/table.ts'

const size = (bytes: number) =>
  bytes < 1_048_576 ? `${(bytes / 1_024).toFixed(1)} KiB` : `${(bytes / 1_048_576).toFixed(1)} MiB`

try {
  const began = performance.now()
  const files = await buildGateway()
  const rows = files.map(({ name, bytes }) => [`${relative('.', distribution)}/${name}`, size(bytes)])
  process.stdout.write(
    `${table(['file', 'size'], rows)}\n  Built in ${seconds(performance.now() - began)}.\n`,
  )
} catch (error) {
  process.stderr.write(`The build failed: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
