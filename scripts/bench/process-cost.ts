import { readFile } from 'node:fs/promises'

/** Clock ticks a second that /proc counts in: USER_HZ, 100 on every Linux that Node.js runs on. */
const ticksPerSecond = 100

/** CPU time, user and system, of a process with all its threads and of its children, in microseconds. */
export async function cpuTime(pid: number): Promise<number> {
  const pids = await withChildren(pid)
  const times = await Promise.all(pids.map(ownCpuTime))
  return times.reduce((sum, time) => sum + time, 0)
}

/** Memory in use (resident set) of a process and its children, in bytes. */
export async function residentMemory(pid: number): Promise<number> {
  const pids = await withChildren(pid)
  const sizes = await Promise.all(
    pids.map(async (id) => {
      const status = await readFile(`/proc/${id}/status`, 'utf8')
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024
    }),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** proc(5): fields 14 and 15 of /proc/PID/stat, counted after the command, which may hold spaces. */
async function ownCpuTime(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1_000_000
}

async function withChildren(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  const children = text.trim().split(' ').filter(Boolean).map(Number)
  return [pid, ...(await Promise.all(children.map(withChildren))).flat()]
}
