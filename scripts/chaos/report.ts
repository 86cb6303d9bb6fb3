import { seconds } from '../terminal/progress.ts'
import { table } from '../terminal/table.ts'
import { faultKinds } from './faults.ts'
import type { PlannedFault } from './plan.ts'
import type { ChaosReport } from './run.ts'

/** What is to be done, a line each. */
export const planText = (plan: readonly PlannedFault[]): string =>
  table(
    ['#', 'fault', 'host', 'after', 'lasts'],
    plan.map(({ kind, host, quiet, lasting }, index) => [
      String(index + 1),
      faultKinds[kind].title,
      String(host + 1),
      seconds(quiet),
      seconds(lasting),
    ]),
  )

/** What was done and seen, for people: faults, then violations with the logs of the hosts. */
export function reportText(report: ChaosReport): string {
  const { faults, violations, requests, failures, moves, duration } = report
  const rows = faults.map((fault) => {
    const { title, permits } = faultKinds[fault.kind]
    const whole = fault.settled === undefined ? 'not again' : seconds(fault.settled - fault.undone)
    return [seconds(fault.from), title, fault.host, `${fault.failures} of ${permits.requests}`, whole]
  })
  const found = violations.map(
    ({ at, text, logs }) =>
      `\n  ${seconds(at)}  ${text}\n${logs.map((log) => `\n  ${log.host}\n${indented(log.text)}\n`).join('')}`,
  )
  return `
${table(['at', 'fault', 'host', 'failed, of permitted', 'whole again'], rows)}

  ${requests} requests in ${seconds(duration)}, ${failures} failed; the virtual IP moved ${moves} times
  ${violations.length === 0 ? 'No violation.' : `${violations.length} violations:`}
${found.join('')}`
}

const indented = (text: string) =>
  text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')
