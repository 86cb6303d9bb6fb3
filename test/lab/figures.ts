import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { type Figure, reliabilityPage } from '../../scripts/lab/drills/reliability-page.ts'
import { root } from '../../scripts/process/tool.ts'

const page = join(root, 'docs/reliability.md')
const figures: Figure[] = []

/** Shows what a drill has seen, beside which promise. */
export function note(drill: string, promise: string, seen: string): void {
  figures.push({ drill, promise, seen })
  process.stdout.write(`  ${drill}: ${seen}\n`)
}

/** Puts all that was noted into docs/reliability.md, where the environment has GATEHOUSE_WRITE=1. */
export function writeFigures(): void {
  if (process.env.GATEHOUSE_WRITE !== '1' || figures.length === 0) return
  const machine = `${cpus().length} cores of ${cpus()[0]!.model.trim()}, shared by all hosts and the load`
  writeFileSync(page, reliabilityPage(readFileSync(page, 'utf8'), figures, machine))
}
