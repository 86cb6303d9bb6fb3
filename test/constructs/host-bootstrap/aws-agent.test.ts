import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, createHmac } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { renderHostBootstrap } from '../../../constructs/index.ts'
import { eventually } from '../../support/eventually.ts'

const { files } = renderHostBootstrap({ configuration: {}, aws: { followConfiguration: true } })
const script = files.find(({ path }) => path === '/usr/local/sbin/gateway-aws')!.content
const secretKey = 'secret/of+the=instance'
const sha256 = (content: string) => createHash('sha256').update(content).digest('hex')

/** What the fake of AWS was asked beside objects: the body of each request, as pairs. */
const calls: Record<string, string>[] = []
let objects: Record<string, string> = {}
let metadata: Record<string, string> = {}
let isReady = true
let directory: string
let server: Server
let agent: ChildProcess | undefined

/** Signature Version 4 (AWS General Reference), computed anew from what arrived. */
function isSigned(request: IncomingMessage, body: string): boolean {
  const [, date = '', scope = '', signedHeaders = '', signature = ''] =
    /Credential=AKID\/(\d{8})\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})/.exec(
      request.headers.authorization ?? '',
    ) ?? []
  const [region = '', service = ''] = scope.split('/')
  const headers = signedHeaders.split(';').map((name) => `${name}:${String(request.headers[name]).trim()}\n`)
  const canonical = [request.method, request.url, '', headers.join(''), signedHeaders, sha256(body)].join(
    '\n',
  )
  const stamp = String(request.headers['x-amz-date'])
  const toSign = ['AWS4-HMAC-SHA256', stamp, `${date}/${scope}`, sha256(canonical)].join('\n')
  const hmac = (key: string | Buffer, value: string) => createHmac('sha256', key).update(value).digest()
  const key = ['aws4_request'].reduce(hmac, hmac(hmac(hmac(`AWS4${secretKey}`, date), region), service))
  return (
    hmac(key, toSign).toString('hex') === signature &&
    request.headers['x-amz-security-token'] === 'session-token'
  )
}

type Answer = [status: number, content?: string]

/** The instance metadata, the status port of the gateway, and the services of AWS, on one port. */
function answerTo(request: IncomingMessage, body: string): Answer {
  const path = request.url ?? ''
  if (path === '/latest/api/token') return [request.method === 'PUT' ? 200 : 405, 'imds-token']
  if (path.startsWith('/latest/meta-data/')) {
    if (request.headers['x-aws-ec2-metadata-token'] !== 'imds-token') return [401]
    return found(metadata[path.slice('/latest/meta-data/'.length)])
  }
  if (path === '/readyz') return [isReady ? 200 : 503]
  if (!isSigned(request, body)) return [403]
  if (request.method !== 'POST') return found(objects[path.slice(1)])
  calls.push(Object.fromEntries(new URLSearchParams(body)))
  return [200]
}

const found = (content: string | undefined): Answer => (content === undefined ? [404] : [200, content])

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gateway-aws-agent-'))
  for (const folder of ['etc/gateway', 'etc/ssl', 'bin'])
    mkdirSync(join(directory, folder), { recursive: true })
  writeFileSync(join(directory, 'gateway-aws'), script)
  for (const program of ['systemctl', 'gateway-cli']) {
    const refusal = program === 'gateway-cli' ? '! grep -q refuse-me "$2"/*.yaml' : 'true'
    writeFileSync(
      join(directory, 'bin', program),
      `#!/bin/sh\necho "${program} $*" >>${directory}/ran\n${refusal}\n`,
      { mode: 0o755 },
    )
  }
  calls.length = 0
  isReady = true
  metadata = {
    'placement/region': 'eu-central-1',
    'instance-id': 'i-0123456789abcdef0',
    'tags/instance/gateway-name': 'edge',
    'tags/instance/gateway-configuration': 'bucket/current',
    'tags/instance/aws:autoscaling:groupName': 'edge-group',
    'iam/security-credentials/': 'edge-node',
    'iam/security-credentials/edge-node': JSON.stringify(
      { AccessKeyId: 'AKID', SecretAccessKey: secretKey, Token: 'session-token' },
      null,
      2,
    ),
  }
  server = createServer(async (request, response) => {
    const [status, content = ''] = answerTo(request, await text(request))
    response.writeHead(status).end(content)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterEach(async () => {
  if (agent?.pid && agent.exitCode === null) {
    const ended = new Promise((resolve) => agent!.once('exit', resolve))
    process.kill(-agent.pid)
    await ended
  }
  agent = undefined
  await new Promise((resolve) => server.close(resolve))
  rmSync(directory, { recursive: true })
})

const environment = () => {
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    PATH: `${join(directory, 'bin')}:${process.env.PATH}`,
    GATEWAY_IMDS: address,
    GATEWAY_AWS_ENDPOINT: address,
    GATEWAY_STATUS: address,
    GATEWAY_AWS_PATHS: directory,
    GATEWAY_AWS_INTERVAL: '0.1',
  }
}
const start = (command: string) =>
  spawn('bash', [join(directory, 'gateway-aws'), command], { env: environment(), detached: true })

/** Runs `gateway-aws fetch` to its end. */
async function fetch() {
  const child = start('fetch')
  const [said, status] = await Promise.all([
    text(child.stderr),
    new Promise<number | null>((resolve) => child.once('exit', resolve)),
  ])
  return { status, said }
}
const follow = () => {
  agent = start('follow')
}

function publish(contents: Record<string, string>) {
  const entries = Object.entries(contents).map(([file, content]) => ({
    file,
    content,
    hash: sha256(content),
  }))
  objects = Object.fromEntries(entries.map(({ file, content, hash }) => [`files/${hash}-${file}`, content]))
  objects.current = entries.map(({ file, hash }) => `${hash}  ${file}\n`).join('')
}
const configuration = () =>
  Object.fromEntries(
    readdirSync(join(directory, 'etc/gateway')).map((file) => [
      file,
      readFileSync(join(directory, 'etc/gateway', file), 'utf8'),
    ]),
  )
const ran = () => (existsSync(join(directory, 'ran')) ? readFileSync(join(directory, 'ran'), 'utf8') : '')

describe('gateway-aws fetch', () => {
  test('takes over the files that the manifest names, signed as the instance, and drops others', async () => {
    publish({ 'config.yaml': 'workers: auto\n', 'services.yaml': 'services: []\n' })
    expect(await fetch()).toMatchObject({ status: 0 })
    expect(configuration()).toEqual({ 'config.yaml': 'workers: auto\n', 'services.yaml': 'services: []\n' })

    publish({ 'config.yaml': 'workers: 2\n' })
    expect(await fetch()).toMatchObject({ status: 0 })
    expect(configuration()).toEqual({ 'config.yaml': 'workers: 2\n' })
  })

  test('keeps all that there is when a file is not what the manifest says, missing or refused', async () => {
    publish({ 'config.yaml': 'workers: auto\n' })
    await fetch()
    const before = configuration()
    publish({ 'config.yaml': 'workers: 2\n', 'services.yaml': 'services: []\n' })
    const changed = Object.keys(objects).find((key) => key.endsWith('services.yaml'))!
    objects[changed] = 'services: [] # changed\n'
    expect(await fetch()).toMatchObject({
      status: 1,
      said: expect.stringContaining('not what the manifest says'),
    })
    delete objects[changed]
    expect(await fetch()).toMatchObject({ status: 1, said: expect.stringContaining('cannot be read') })
    publish({ 'config.yaml': 'refuse-me: yes\n' })
    expect(await fetch()).toMatchObject({
      status: 1,
      said: expect.stringContaining('the one in force stays'),
    })
    objects.current = `${'0'.repeat(64)}  ../../etc/passwd\n`
    expect(await fetch()).toMatchObject({ status: 1, said: expect.stringContaining('malformed') })
    expect(configuration()).toEqual(before)
  })

  test('says when tags cannot be read from the metadata', async () => {
    delete metadata['tags/instance/gateway-name']
    expect(await fetch()).toMatchObject({ status: 1, said: expect.stringContaining('tags in metadata') })
  })
})

describe('gateway-aws follow', () => {
  test('tells the group once the node is ready, and follows the configuration', async () => {
    publish({ 'config.yaml': 'workers: auto\n' })
    metadata['autoscaling/target-lifecycle-state'] = 'InService'
    follow()
    await eventually('a call', () => calls.length > 0, 30_000)
    expect(calls[0]).toEqual({
      Action: 'CompleteLifecycleAction',
      Version: '2011-01-01',
      LifecycleActionResult: 'CONTINUE',
      LifecycleHookName: 'ready',
      AutoScalingGroupName: 'edge-group',
      InstanceId: 'i-0123456789abcdef0',
    })
    await eventually('the configuration', () => configuration()['config.yaml'] === 'workers: auto\n', 30_000)
    publish({ 'config.yaml': 'workers: 3\n' })
    await eventually('the new configuration', () => configuration()['config.yaml'] === 'workers: 3\n', 30_000)
    expect(calls).toHaveLength(1)
  })

  test('drains the node before it lets it go', async () => {
    publish({ 'config.yaml': 'workers: auto\n' })
    isReady = false
    metadata['autoscaling/target-lifecycle-state'] = 'Terminated'
    follow()
    await eventually('a call', () => calls.length > 0, 30_000)
    expect(ran()).toContain('systemctl stop gateway-service.service')
    expect(calls[0]).toMatchObject({ LifecycleHookName: 'drained', LifecycleActionResult: 'CONTINUE' })
  })

  test('drains a spot instance that is taken back', async () => {
    publish({ 'config.yaml': 'workers: auto\n' })
    metadata['spot/instance-action'] = '{"action": "terminate"}'
    follow()
    await eventually('the drain', () => ran().includes('systemctl stop gateway-service.service'), 30_000)
  })
})
