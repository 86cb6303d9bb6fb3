import { closeSync, existsSync, fstatSync, openSync, readSync, statfsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Check, type Finding, fail, pass, unseen, warn } from './check.ts'

const disk: Check = {
  id: 'disk',
  title: 'disk',
  run({ loaded, system }) {
    if (!loaded) return unseen('the configuration cannot be read')
    const { directory } = loaded.configuration.logs
    return [...new Set([nearest(directory), loaded.folder])].flatMap((folder) => [
      space(folder),
      ...medium(folder, system),
    ])
  },
}

const nearest = (path: string): string => (existsSync(path) || path === '/' ? path : nearest(dirname(path)))

function space(folder: string): Finding {
  const { bavail, blocks, bsize, files, ffree } = statfsSync(folder)
  const percent = (100 * bavail) / Math.max(blocks, 1)
  const text = `${folder}: ${((bavail * bsize) / 1e9).toFixed(1)} GB free (${percent.toFixed(0)} %)`
  const mend = 'delete old logs, rotate them more often, or give the volume more room'
  if (bavail * bsize < 1e8) return fail(text, mend)
  if (files > 0 && ffree / files < 0.02) return warn(`${folder}: nearly all inodes are taken`, mend)
  return percent < 10 ? warn(text, mend) : pass(text)
}

function medium(folder: string, system: Parameters<Check['run']>[0]['system']): Finding[] {
  const { dev } = statSync(folder)
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)]
  const device = `/sys/dev/block/${major}:${minor}`
  const rotational = system.read(`${device}/queue/rotational`) ?? system.read(`${device}/../queue/rotational`)
  if (rotational?.trim() !== '1') return []
  return [warn(`${folder} is on a turning disk`, 'put the logs on an NVMe volume')]
}

const recentBytes = 8_388_608

/** What answers of the gateway or a service mean most often. */
const answerAdvice = [
  [403, 'see error.log for the plugin, and its allow and deny lists'],
  [429, 'a limit holds, as it should: raise it where these clients are to be served'],
  [502, 'see whether its service runs (systemctl status backend), and error.log for what it answered'],
  [503, 'see gateway-cli status for circuits that are open, and whether this node has too much to do'],
] as const

const recentErrors: Check = {
  id: 'recent-errors',
  title: 'recent errors',
  run({ loaded }) {
    if (!loaded) return unseen('the configuration cannot be read')
    const { directory } = loaded.configuration.logs
    const [errors, requests] = ['error.log', 'access.log'].map((name) => tail(join(directory, name)))
    if (errors === undefined && requests === undefined) return unseen(`no log in ${directory} can be read`)
    const timeouts = count(
      (errors ?? []).filter((line) => line.includes('upstream timed out')),
      / route=("[^"]*"|\S+)/,
    )
    const answers = answerAdvice.flatMap(([status, mend]) =>
      count(
        (requests ?? []).filter((line) => line.includes(`"status":${status}`)),
        /"route":"([^"]*)"/,
      ).map(([route, times]) => warn(`${status}: ${times} times on route ${route}`, mend)),
    )
    const findings = [
      ...timeouts.map(([route, times]) =>
        warn(
          `upstream timed out: ${times} times on route ${route}`,
          'see whether its service is slow or unreachable, and its timeouts',
        ),
      ),
      ...answers,
    ]
    return findings.length > 0 ? findings : pass('no timeouts of services, and no 403, 429, 502 and 503')
  },
}

/** The lines at the end of a log; undefined where it cannot be read. */
function tail(path: string): string[] | undefined {
  try {
    const descriptor = openSync(path, 'r')
    try {
      const { size } = fstatSync(descriptor)
      const buffer = Buffer.alloc(Math.min(size, recentBytes))
      readSync(descriptor, buffer, 0, buffer.length, size - buffer.length)
      return buffer.toString('latin1').split('\n')
    } finally {
      closeSync(descriptor)
    }
  } catch {
    return undefined
  }
}

/** How many lines each route has, the most first. */
function count(lines: readonly string[], route: RegExp): [route: string, times: number][] {
  const byRoute = Map.groupBy(lines, (line) => route.exec(line)?.[1] ?? 'none')
  return [...byRoute]
    .map(([name, { length }]): [string, number] => [name, length])
    .sort(([, a], [, b]) => b - a)
}

/** Volumes, and what the logs on them say. */
export const storageChecks: readonly Check[] = [disk, recentErrors]
