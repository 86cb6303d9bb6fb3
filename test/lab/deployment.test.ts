import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { LabDeployment } from '../../scripts/lab/deploy.ts'
import { type LabSettings, layouts } from '../../scripts/lab/environment.ts'
import {
  applied,
  ask,
  awaitCertificates,
  onHosts,
  startTestLab,
  type TestLab,
  underLoad,
  whyNoDeployment,
} from './cluster.ts'

const reason = await whyNoDeployment()
const onLab = (name: string, body: () => Promise<void>) =>
  reason ? test.skip(`${name} (skipped: ${reason})`, body) : test(name, body, 400_000)

let testLab: TestLab
let lab: LabDeployment
let root: string
let vip: string
const outputs: string[] = []

beforeAll(async () => {
  if (reason) return
  testLab = await startTestLab(3, { roles: layouts.one })
  lab = testLab.deployment
  root = testLab.root
  vip = lab.virtualIps[0]!
}, 120_000)

afterAll(() => testLab?.stop(), 60_000)

async function apply(changes: Partial<LabSettings> = {}): Promise<string> {
  const output = await applied(lab, changes)
  outputs.push(output)
  return output
}

/** What runs on each host, and since when. */
const processes = () =>
  onHosts(
    lab,
    'for unit in gateway-service haproxy keepalived redis-server@6379 redis-server@6380 gateway-firewall; do systemctl show -p MainPID -p ActiveEnterTimestamp -p NRestarts $unit; done',
  )

// Three hosts with all roles, from bare Debian on: each test goes on where the one before ended.
describe('a deployment to hosts', () => {
  onLab('goes from bare hosts to HTTPS through the virtual IP, with a certificate by ACME', async () => {
    const output = await apply()
    expect(output).toContain('Apply complete! Resources: 9 added, 0 changed, 0 destroyed.')
    await awaitCertificates(testLab)
    expect(await ask(vip, root)).toEqual({ status: 200, body: 'hello' })
    expect(testLab.pebble.orders()).toBe(1)
  })

  onLab('changes nothing when it is run again, and says so', async () => {
    const before = await processes()
    expect(await apply()).toContain('No changes. Your infrastructure matches the configuration.')
    expect(await processes()).toEqual(before)
  })

  onLab('has one cluster of Redis over its hosts, and one holder of the virtual IP', async () => {
    const holders = Object.values(await onHosts(lab, `ip -br addr show to ${vip}/32`)).filter(Boolean)
    expect(holders).toHaveLength(1)
    const state = `REDISCLI_AUTH=$(sed -n 's/^masterauth //p' /etc/redis/gatehouse-auth.conf) redis-cli --user cluster cluster info | tr -d '\\r' | grep -E '^cluster_(state|known_nodes|size):'`
    const infos = Object.values(await onHosts(lab, state))
    expect(new Set(infos)).toEqual(new Set(['cluster_state:ok\ncluster_known_nodes:6\ncluster_size:3']))
  })

  onLab('takes over new routes without a new process and without a failed request', async () => {
    const before = await onHosts(lab, 'systemctl show -p MainPID --value gateway-service')
    const services = lab.settings.configuration['services.yaml']!
    const configuration = {
      ...lab.settings.configuration,
      'services.yaml': services.replace('paths: [/hello]', 'paths: [/hello, /good-day]'),
    }
    const { failures, answered } = await underLoad(testLab, () => apply({ configuration }))
    expect(failures).toEqual([])
    expect(answered).toBeGreaterThan(20)
    expect(await ask(vip, root, '/good-day')).toEqual({ status: 200, body: 'hello' })
    expect(await onHosts(lab, 'systemctl show -p MainPID --value gateway-service')).toEqual(before)
  })

  onLab('keeps every secret out of state, plans, outputs and logs', async () => {
    const plan = await lab.terraform('plan', '-no-color', '-input=false', '-out=saved.plan')
    const shown = await lab.terraform('show', '-json', 'saved.plan')
    const kept = await Promise.all(
      ['terraform.tfstate', 'cdk.tf.json'].map((name) => readFile(join(lab.folder, name), 'utf8')),
    )
    const logs = await onHosts(
      lab,
      'journalctl --no-pager; cat /var/log/gateway/* /var/log/redis/* /root/.gateway-* /root/.bash_history 2>/dev/null; ps axww -o args; true',
    )
    const secret = lab.secrets.redis_secret!
    const hash = (name: string, encoding: 'hex' | 'base64') =>
      createHash('sha256').update(`${name}:${secret}`).digest(encoding)
    const secrets = [
      secret,
      hash('redis-gateway', 'hex'),
      hash('redis-cluster', 'hex'),
      hash('certificate-store', 'base64'),
      await readFile(join(lab.lab.folder, 'id_ed25519'), 'utf8').then((key) => key.split('\n')[1]!),
    ]
    const texts = [...outputs, plan.output, shown.output, ...kept, ...Object.values(logs)]
    for (const each of secrets) {
      expect(each.length).toBeGreaterThan(20)
      expect(texts.filter((text) => text.includes(each))).toEqual([])
    }
    const modes =
      'stat -c "%a %U" /etc/gateway/redis-password /etc/gateway/certificate-store-key /etc/redis/gatehouse-auth.conf'
    expect(new Set(Object.values(await onHosts(lab, modes)))).toEqual(
      new Set(['600 gateway\n600 gateway\n600 redis']),
    )
  })
})
