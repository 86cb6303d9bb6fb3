import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { awaitBoot, containerOf, startHost } from '../host.ts'
import type { HostRecord, LabRecord } from '../record.ts'
import { ip } from '../run.ts'

/** Pulls the network cable of a host, which lives on. */
export const unplug = ({ namespace }: LabRecord, host: HostRecord) =>
  ip(`-n ${namespace} link set ${host.name} down`)

/** Puts it back. */
export const plug = ({ namespace }: LabRecord, host: HostRecord) =>
  ip(`-n ${namespace} link set ${host.name} up`)

/** Takes the power of a host: nothing of it says goodbye, and nothing answers for it. */
export async function cutPower(lab: LabRecord, host: HostRecord): Promise<void> {
  await unplug(lab, host)
  const container = containerOf(host)
  if (container === undefined) throw new Error(`${host.name} is not up`)
  for (const pid of [Number(childOf(container)), container]) if (pid > 1) process.kill(pid, 'SIGKILL')
  while (containerOf(host) !== undefined) await sleep(20)
}

/** Gives it back, and resolves when the host has booted. */
export async function restorePower(lab: LabRecord, host: HostRecord): Promise<void> {
  await startHost(host)
  await plug(lab, host)
  await awaitBoot(host)
}

/** The process 1 of a container. */
const childOf = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]
