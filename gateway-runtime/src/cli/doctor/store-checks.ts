import type { KmsSettings } from '../../config/certificate-store-settings.ts'
import type { LogExport } from '../../config/log-export-schema.ts'
import type { PostgresSettings } from '../../config/postgres-settings.ts'
import { readPem } from '../../config/tls-files.ts'
import { type Check, type Finding, fail, pass, unseen, warn } from './check.ts'
import { connected } from './peer-checks.ts'

const slow = 100

const postgres: Check = {
  id: 'postgres',
  title: 'Postgres',
  run({ loaded }) {
    if (!loaded) return unseen('the configuration cannot be read')
    const settings = loaded.configuration.postgres
    return settings ? checkPostgres(settings) : pass('not configured')
  },
}

async function checkPostgres({
  url,
  password,
  aws_iam,
  connect_timeout,
}: PostgresSettings): Promise<Finding> {
  const { hostname, port } = new URL(url)
  const where = `${hostname}:${port || 5_432}`
  if (aws_iam) return unseen(`${where}: only the gateway has the token that it asks for`)
  const { default: pg } = await import('pg') // only where it is used: commands are quick to start
  const client = new pg.Client({
    connectionString: url,
    ...(password !== undefined && { password }),
    connectionTimeoutMillis: connect_timeout,
    query_timeout: connect_timeout,
  })
  client.on('error', () => {}) // told by the call that it breaks
  try {
    await client.connect()
    const started = performance.now()
    const { rows } = await client.query('select pg_is_in_recovery() as replica')
    const time = performance.now() - started
    if (rows[0]?.replica)
      return fail(`${where} is a replica: it takes no changes`, 'name the primary in postgres.url')
    const text = `${where} answers in ${time.toFixed(0)} ms`
    return time > slow ? warn(text, 'put it nearer, or see what it is busy with') : pass(text)
  } catch (error) {
    const mend = 'see whether it runs, the user and password, and the firewalls on the way'
    return fail(`${where}: ${reasonOf(error)}`, mend)
  } finally {
    await client.end().catch(() => {})
  }
}

const store: Check = {
  id: 'store',
  title: 'configuration store',
  run({ loaded, status }) {
    if (!loaded) return unseen('the configuration cannot be read')
    const { store: name } = loaded.configuration
    if (name === 'files') return pass(`files, in ${loaded.folder}`)
    if (!status) return unseen(`${name}: the gateway does not answer`)
    if (status.configuration.store_reachable) return pass(`${name} answers`)
    return fail(
      `${name} cannot be reached: the configuration in force stays, and changes are refused`,
      'see error.log for the reason; nothing has to be done here once it is back',
    )
  },
}

const kms: Check = {
  id: 'kms',
  title: 'AWS KMS',
  run({ loaded }) {
    if (!loaded) return unseen('the configuration cannot be read')
    const settings = loaded.configuration.certificate_store.kms
    return settings ? checkKms(settings) : pass('not configured')
  },
}

/** Makes a data key and opens it: all that the gateway asks for. */
async function checkKms(settings: KmsSettings): Promise<Finding> {
  const { Kms } = await import('../../control-plane/certificates/store/kms.ts')
  const client = new Kms(settings)
  const { key } = settings
  try {
    const started = performance.now()
    const { wrapped } = await client.generate()
    await client.open(wrapped)
    return pass(`${key} makes and opens data keys, in ${(performance.now() - started).toFixed(0)} ms`)
  } catch (error) {
    if ((error as Error).name === 'CredentialsProviderError')
      return unseen(`${key}: whoever runs this has no credentials; the gateway may`)
    const mend =
      'allow the node kms:GenerateDataKey and kms:Decrypt with this key, and see the way to the endpoint'
    return fail(`${key}: ${reasonOf(error)}`, mend)
  }
}

const collector: Check = {
  id: 'collector',
  title: 'log collector',
  async run({ loaded, status }) {
    if (!loaded) return unseen('the configuration cannot be read')
    const { folder, configuration } = loaded
    const exports = configuration.logs.export
    if (exports.length === 0) return pass('no log is exported')
    const reached = await Promise.all(exports.map((one) => checkCollector(one, folder)))
    const told = (status?.log_exports ?? []).flatMap(({ target, log, problem, lost }) => [
      ...(problem === null
        ? []
        : [warn(`${log} log to ${target}: ${problem}`, 'its lines wait on the disk until they are taken')]),
      ...(lost > 0
        ? [
            warn(
              `${log} log to ${target}: ${lost} lines were lost`,
              'raise queue_bytes, or see why it is so slow',
            ),
          ]
        : []),
    ])
    return [...reached, ...told]
  },
}

async function checkCollector(settings: LogExport, folder: string): Promise<Finding> {
  const { protocol, ca } = settings
  const url = settings.url === undefined ? undefined : new URL(settings.url)
  const isTls = protocol === 'tls' || url?.protocol === 'https:'
  const host = url?.hostname ?? settings.host!
  const port = url ? Number(url.port || (isTls ? 443 : 80)) : settings.port
  const where = `${host}:${port} (${protocol})`
  if (protocol === 'udp')
    return unseen(`${where}: a datagram is answered by nobody; see whether lines arrive`)
  try {
    const tls = isTls
      ? { serverName: host, verify: true, ...(ca !== undefined && { ca: readPem(folder, ca) }) }
      : undefined
    const socket = await connected({ host, port, tls })
    socket.destroy()
    return pass(`${where} takes connections`)
  } catch (error) {
    const mend = 'see whether the collector runs, and the firewalls on the way'
    return fail(`${where}: ${reasonOf(error)}`, mend)
  }
}

/** An error of several addresses has no message of its own. */
function reasonOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException
  return message || code || String(error)
}

/** Where the configuration is kept, what seals certificates, and where the logs go. */
export const storeChecks: readonly Check[] = [postgres, store, kms, collector]
