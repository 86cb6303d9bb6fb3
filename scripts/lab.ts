import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { deployLab } from './lab/deploy.ts'
import { layouts } from './lab/environment.ts'
import { containerOf, hostKeyOf } from './lab/host.ts'
import { abandonedLabs, keyFile, removeLab, startLab } from './lab/lab.ts'
import { type LabRecord, readRecord } from './lab/record.ts'
import { prepareForLab } from './lab/requirements.ts'
import { step } from './terminal/progress.ts'
import { table } from './terminal/table.ts'

const usage = `npm run lab -- up | deploy | status | ssh NAME [COMMAND…] | down

  Debian hosts with systemd and SSH on this Linux machine, on a network of their own, as machines to deploy to.

  up        boots them, and installs what this machine lacks; needs root
  deploy    boots them where they are not up, makes the packages, and lets Terraform set up a cluster on them, with a
            virtual IP; a page at /hello answers. Run again, it brings what this checkout has changed since
  status    their addresses and SSH keys
  ssh       logs on to one as root, or runs a command there
  down      takes them all away, also those that a killed run has left

  --hosts N        how many to boot: 1 to 32; as many as the layout has, or 3
  --layout LAYOUT  of deploy: one (three hosts with all roles), apart (two edges, three gateways, six of Redis); one
  --name NAME      tells labs apart; lab
  --json           status for programs
  --help           this text
`
async function up(name: string, hosts: number): Promise<void> {
  await prepareForLab()
  await step(`Boot ${hosts} hosts (the first time, make their file system: a minute)`, () =>
    startLab({ name, hosts, isOwned: false }),
  )
  status(name, false)
}

async function deploy(name: string, layout: string, hosts: number | undefined): Promise<void> {
  if (!(layout in layouts)) {
    throw new Error(`--layout: expected ${Object.keys(layouts).join(' or ')}, got ${JSON.stringify(layout)}`)
  }
  await prepareForLab()
  const roles = layouts[layout as keyof typeof layouts]
  const deployment = await deployLab({
    name,
    isOwned: false,
    settings: { roles },
    ...(hosts !== undefined && { hosts }),
  })
  await deployment.close()
  const url = `https://${deployment.virtualIps[0]}/hello`
  process.stdout.write(`\n  ${url} answers (curl -k ${url}); Terraform's folder is ${deployment.folder}\n\n`)
}

function theLab(name: string): LabRecord {
  const lab = readRecord(name)
  if (!lab) throw new Error('no lab is up; boot one with: npm run lab up')
  return lab
}

function status(name: string, asJson: boolean): void {
  const lab = theLab(name)
  const hosts = lab.hosts.map((host) => {
    const isUp = containerOf(host) !== undefined
    return { name: host.name, address: host.address, up: isUp, host_key: isUp ? hostKeyOf(host) : '' }
  })
  const report = { network: `${lab.subnet}.0/24`, private_key: keyFile(lab), hosts }
  if (asJson) return void process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  const rows = hosts.map(({ name, address, up, host_key }) => [name, address, up ? 'up' : 'down', host_key])
  process.stdout.write(
    `\n${table(['host', 'address', 'state', 'host_key'], rows)}\n\n  network      ${report.network}\n  private key  ${report.private_key}\n\n`,
  )
}

async function ssh(name: string, [hostName, ...command]: readonly string[]): Promise<number> {
  const lab = theLab(name)
  const host = lab.hosts.find((each) => each.name === hostName)
  if (!host) {
    throw new Error(
      `no host is called ${JSON.stringify(hostName ?? '')}; there are: ${lab.hosts.map(({ name }) => name).join(', ')}`,
    )
  }
  const options = [
    ...['-i', keyFile(lab), '-o', 'IdentitiesOnly=yes', '-o', 'UserKnownHostsFile=/dev/null'],
    // Checked by the key that the host was given, not by memory.
    ...[
      '-o',
      'StrictHostKeyChecking=yes',
      '-o',
      `KnownHostsCommand=/bin/echo ${host.address} ${hostKeyOf(host)}`,
    ],
  ]
  const child = spawn('ssh', [...options, `root@${host.address}`, ...command], { stdio: 'inherit' })
  const [code] = await once(child, 'exit')
  return code ?? 1
}

async function down(name: string): Promise<void> {
  const own = readRecord(name)
  const labs = [...(own ? [own] : []), ...abandonedLabs()]
  if (labs.length === 0) return void process.stdout.write('No lab is up.\n')
  for (const lab of labs) await step(`Take down ${lab.hosts.length} hosts`, () => removeLab(lab))
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      hosts: { type: 'string' },
      layout: { type: 'string', default: 'one' },
      name: { type: 'string', default: 'lab' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const [command, ...rest] = positionals
  const { name } = values
  const hosts = values.hosts === undefined ? undefined : Number(values.hosts)
  if (hosts !== undefined && (!Number.isInteger(hosts) || hosts < 1 || hosts > 32)) {
    throw new Error(`--hosts: expected 1 to 32, got ${JSON.stringify(values.hosts)}`)
  }
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(name)) {
    throw new Error(`--name: expected lower-case letters, digits and "-", got ${JSON.stringify(name)}`)
  }
  if (values.help) process.stdout.write(usage)
  else if (command === 'up') await up(name, hosts ?? 3)
  else if (command === 'deploy') await deploy(name, values.layout, hosts)
  else if (command === 'status') status(name, values.json)
  else if (command === 'ssh') return ssh(name, rest)
  else if (command === 'down') await down(name)
  else
    throw new Error(
      `expected up, deploy, status, ssh or down, got ${JSON.stringify(command ?? '')}\n\n${usage}`,
    )
  return 0
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`lab: ${(error as Error).message}\n`)
  process.exitCode = 1
}
