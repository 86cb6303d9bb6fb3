import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Check } from './check.ts'
import { type Answer, send } from './client.ts'
import { becomesTrue, runCli, type Subject } from './subject.ts'

/** What an operator sees: admin API, status port, logs, changes by gateway-cli and by file. */
export const operationChecks = (subject: Subject): Check[] => [
  {
    tried: 'GET /routes of the admin API, with its token and without',
    expected: '200 with orders and users, 401',
    see: () => seeAdmin(subject),
  },
  {
    tried: 'GET /readyz, /healthz',
    expected: '200 200',
    see: async () => {
      const answers = await Promise.all(['/readyz', '/healthz'].map((path) => send(subject.status + path)))
      return answers.map(({ status }) => status).join(' ')
    },
  },
  {
    tried: 'GET /metrics',
    expected: '200 with gatehouse_ metrics only',
    see: async () => {
      const { status, body } = await send(`${subject.status}/metrics`)
      const names = body.split('\n').filter((line) => line && !line.startsWith('#'))
      const foreign = names.find((line) => !line.startsWith('gatehouse_'))
      return `${status} with ${names.length === 0 ? 'no metrics' : (foreign ?? 'gatehouse_ metrics only')}`
    },
  },
  {
    tried: 'gateway-cli routes add --name check-added --service orders --paths /v1/api',
    expected: 'exit 0, 200 at once, in the file',
    see: () => seeAddedRoute(subject),
  },
  {
    tried: 'gateway-cli routes add for a service that is not there',
    expected: 'refused, nothing changed',
    see: () => seeRefusedRoute(subject),
  },
  {
    tried: 'a YAML syntax error written to config.yaml',
    expected: 'refused, /status says why, /orders still 200',
    see: () => seeBrokenFile(subject),
  },
  {
    tried: '"upstream timed out" in error.log',
    expected: 'found',
    see: async () => {
      const path = join(subject.folder.layout.logDirectory, 'error.log')
      const found = await becomesTrue(async () =>
        (await readFile(path, 'utf8')).includes('upstream timed out'),
      )
      return found ? 'found' : 'not found'
    },
  },
  {
    tried: 'access.log',
    expected: 'JSON, a line a request',
    see: () => seeAccessLog(subject),
  },
]

async function askAdmin({ admin, folder }: Subject, path: string): Promise<Answer> {
  const token = (await readFile(join(folder.stateDirectory, 'admin-token'), 'utf8')).trim()
  return send(admin + path, { headers: { authorization: `Bearer ${token}` } })
}

async function seeAdmin(subject: Subject): Promise<string> {
  const listed = await askAdmin(subject, '/routes')
  const both = listed.body.includes('"orders"') && listed.body.includes('"users"')
  const refused = await send(`${subject.admin}/routes`)
  return `${listed.status} with ${both ? 'orders and users' : listed.body.slice(0, 80)}, ${refused.status}`
}

/** A new entity goes to the file that holds most of its kind. */
async function isInFiles(folder: string, text: string): Promise<boolean> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.yaml'))
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')))
  return texts.some((content) => content.includes(text))
}

async function seeAddedRoute(subject: Subject): Promise<string> {
  const add = ['routes', 'add', '--name', 'check-added', '--service', 'orders', '--paths', '/v1/api']
  const { code, output } = await runCli(subject, ...add)
  if (code !== 0) return `exit ${code}: ${output.trim()}`
  const { status } = await send(`${subject.http}/v1/api/9`)
  const isWritten = await isInFiles(subject.folder.directory, 'check-added')
  return `exit ${code}, ${status} at once, ${isWritten ? '' : 'not '}in the file`
}

async function seeRefusedRoute(subject: Subject): Promise<string> {
  const file = join(subject.folder.directory, 'config.yaml')
  const before = await readFile(file, 'utf8')
  const add = ['routes', 'add', '--name', 'check-refused', '--service', 'nobody', '--paths', '/refused']
  const { code } = await runCli(subject, ...add)
  const same = before === (await readFile(file, 'utf8'))
  return `${code === 0 ? 'accepted' : 'refused'}, ${same ? 'nothing changed' : 'the file changed'}`
}

async function seeBrokenFile(subject: Subject): Promise<string> {
  const file = join(subject.folder.directory, 'config.yaml')
  const good = await readFile(file, 'utf8')
  await appendFile(file, '\nroutes: [ {name: unfinished\n')
  const told = await becomesTrue(
    async () => (await configurationError(subject))?.includes('config.yaml') ?? false,
  )
  const { status } = await send(`${subject.http}/orders/17`)
  await writeFile(file, good)
  return `${told ? 'refused, /status says why' : '/status does not say why'}, /orders still ${status}`
}

/** Why the configuration on disk is not the one in force, as the admin API tells; null: it is. */
async function configurationError(subject: Subject): Promise<string | null> {
  const status = JSON.parse((await askAdmin(subject, '/status')).body)
  return status.configuration.error
}

async function seeAccessLog({ folder }: Subject): Promise<string> {
  const path = join(folder.layout.logDirectory, 'access.log')
  const written = await becomesTrue(async () => (await readFile(path, 'utf8')).includes('\n'))
  if (!written) return 'empty'
  const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1)
  const wrong = lines.find((line) => typeof JSON.parse(line).request_id !== 'string')
  return wrong ?? 'JSON, a line a request'
}
