import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { awaitBoot, containerOf, startHost } from '../host.ts'
import type { HostRecord, LabRecord } from '../record.ts'
import type { Fault } from './fault.ts'
import { unplug } from './link.ts'

/**
 * Takes the power of a host: nothing of it says goodbye, and nothing answers for it. Undone, it has it again, and has
 * booted.
 */
export async function cutPower(lab: LabRecord, host: HostRecord): Promise<Fault> {
  const cable = await unplug(lab, host)
  const container = containerOf(host)
  if (container === undefined) throw new Error(`${host.name} is not up`)
  for (const pid of [Number(childOf(container)), container]) if (pid > 1) process.kill(pid, 'SIGKILL')
  while (containerOf(host) !== undefined) await sleep(20)
  return {
    async undo() {
      await startHost(host)
      await cable.undo()
      await awaitBoot(host)
    },
  }
}

/** The process 1 of a container. */
const childOf = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]
