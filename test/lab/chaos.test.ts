import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import type { ChaosReport } from '../../scripts/chaos/run.ts'
import { root } from '../../scripts/process/tool.ts'
import { whyNoDrills } from './drills/drill-lab.ts'

const reason = await whyNoDrills()
const name = 'a minute of faults that a seed chose breaks no promise'

const body = async () => {
  const { code, output } = await new Promise<{ code: unknown; output: string }>((resolve) => {
    const program = [join(root, 'scripts/chaos.ts'), '--seed', '42', '--minutes', '1', '--json']
    execFile(process.execPath, program, { maxBuffer: 2 ** 26 }, (error, stdout) =>
      resolve({ code: error?.code ?? 0, output: stdout }),
    )
  })
  const report = JSON.parse(output) as ChaosReport
  expect(report.violations).toEqual([])
  expect(code).toBe(0)
  expect(report.faults.length).toBeGreaterThan(5)
  expect(report.requests).toBeGreaterThan(1_000)
}

if (reason) test.skip(`${name} (skipped: ${reason})`, body)
else test(name, body, 600_000)
