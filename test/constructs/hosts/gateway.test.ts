import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import {
  ConstructError,
  HostsGateway,
  type HostsGatewayProps,
  renderHostBootstrap,
} from '../../../constructs/index.ts'
import { type Resource, type Synthesized, synthesize } from '../synthesized.ts'
import { terraformFolder, terraformTest } from '../terraform.ts'

// biome-ignore lint/suspicious/noTemplateCurlyInString: Terraform and the gateway know this syntax as well
const configuration = { 'config.yaml': '# ${env:TOKEN} %{ if x } 100%\n', 'services.yaml': 'services: []\n' }
const hostKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDr2FZmL1d4T0sWkZP1uIZr2Qy4gE1t8pJ5Q3mB7vN0c'
const props: HostsGatewayProps = {
  hosts: [
    { name: 'one', address: '192.0.2.11', hostKey },
    { name: 'two', address: 'two.example.com', hostKey },
  ],
  host: { configuration, managementNetworks: ['192.0.2.0/24'] },
}
const hosts = (changes: Partial<HostsGatewayProps> = {}) =>
  synthesize((stack) => new HostsGateway(stack, 'gateway', { ...props, ...changes }))
/** Resources of the hosts in one of the two runs, in their order; and the one that takes things off hosts that go. */
const resources = (json: Synthesized) => Object.entries<Resource>(json.resource.terraform_data!)
const setUp = (json: Synthesized) =>
  resources(json).flatMap(([id, resource]) => (/_(prepare|leave)/.test(id) ? [] : [resource]))
const prepare = (json: Synthesized) =>
  resources(json).flatMap(([id, resource]) => (id.includes('_prepare_') ? [resource] : []))
const leave = (json: Synthesized) => resources(json).find(([id]) => id.includes('_leave_'))![1]
const provisioners = (resource: Resource): Resource[] => resource.provisioner

describe('HostsGateway', () => {
  test('sets every host up anew when its script, address or key changes, and only then', () => {
    const triggers = (changes: Partial<HostsGatewayProps> = {}) =>
      setUp(hosts(changes)).map((resource) => resource.triggers_replace)
    expect(prepare(hosts()).map((resource) => resource.triggers_replace)).toEqual(triggers())
    expect(triggers()).toHaveLength(2)
    expect(triggers({ hosts: props.hosts.toReversed() })).toEqual(triggers())
    const moved = triggers({ hosts: [props.hosts[0]!, { ...props.hosts[1]!, address: '192.0.2.99' }] })
    expect([moved[0], moved[1]]).toEqual([triggers()[0], { ...triggers()[1], address: '192.0.2.99' }])
    const changed = triggers({ host: { ...props.host, configuration: { 'config.yaml': 'workers: 2\n' } } })
    expect(changed[0].script).not.toBe(triggers()[0].script)
  })

  test('checks the key of the host, and holds no secret', () => {
    const one = hosts({
      hosts: [props.hosts[0]!],
      ssh: { user: 'deploy', privateKeyPath: '~/.ssh/id_ed25519' },
    })
    for (const { file, 'remote-exec': exec } of [setUp(one)[0]!, prepare(one)[0]!].flatMap(provisioners)) {
      expect((file ?? exec).connection).toMatchObject({
        host: '192.0.2.11',
        host_key: hostKey,
        user: 'deploy',
        agent: 'false',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: an expression of Terraform
        private_key: '${file(pathexpand("~/.ssh/id_ed25519"))}',
      })
    }
    const agent = provisioners(setUp(hosts({ hosts: [props.hosts[0]!] }))[0]!)
    expect(agent[0]!.file.connection).toMatchObject({ agent: 'true' })
    expect(agent[0]!.file.connection).not.toHaveProperty('private_key')
  })

  test('uses sudo, unless it is root', () => {
    const command = (user: string) =>
      provisioners(setUp(hosts({ hosts: [props.hosts[0]!], ssh: { user } }))[0]!)[1]!['remote-exec'].inline[0]
    expect(command('deploy')).toMatch(/^sudo -n bash /)
    expect(command('root')).toMatch(/^bash /)
  })

  terraformTest('is valid for Terraform, without a network and without a provider to download', () => {
    const folder = terraformFolder(hosts())
    try {
      expect(folder.run('init', '-input=false')).toMatchObject({ status: 0, stderr: '' })
      expect(folder.run('validate', '-no-color')).toMatchObject({ status: 0, stderr: '' })
    } finally {
      folder.remove()
    }
  })

  test('reaches hosts by a bastion, whose key is checked as well', () => {
    const bastion = { address: '192.0.2.1', hostKey }
    const json = hosts({ ssh: { user: 'deploy', bastion } })
    const connections = [...setUp(json), ...prepare(json), leave(json)]
      .flatMap(provisioners)
      .map(({ file, 'remote-exec': exec }) => (file ?? exec).connection)
    for (const connection of connections) {
      expect(connection).toMatchObject({
        bastion_host: '192.0.2.1',
        bastion_host_key: hostKey,
        bastion_port: 22,
        bastion_user: 'deploy',
      })
      // Terraform looks up both there, behind whatever address it asks: each server has a line of its own.
      const [nobody, ...known] = connection.host_key.split('\n')
      expect(nobody).toMatch(/^sk-ssh-ed25519@openssh\.com /)
      expect(known).toEqual([
        expect.stringMatching(/^@cert-authority \[.*\]:(22|\$\{.*\}) /),
        `@cert-authority [192.0.2.1]:22 ${hostKey}`,
      ])
      expect(known[0].startsWith(`@cert-authority [${connection.host}]:${connection.port} `)).toBe(true)
    }
  })

  test('takes off a host that goes what was put there, and goes on where it is gone for good', () => {
    const { for_each: each, provisioner } = leave(hosts())
    expect(each['two.example.com']).toEqual({ name: 'two', host_key: hostKey, port: 22 })
    expect(provisioner).toEqual([
      {
        'remote-exec': expect.objectContaining({
          when: 'destroy',
          on_failure: 'continue',
          inline: ['! [ -x /usr/local/sbin/gateway-leave ] || /usr/local/sbin/gateway-leave'],
        }),
      },
    ])
  })

  terraformTest(
    'prepares all hosts, sets them up one by one, stops at the first fault, and goes on from there',
    () => {
      const names = ['one', 'two', 'three']
      const terraformOf = (version: string) => {
        const stack = hosts({
          hosts: names.map((name) => ({ name, address: `${name}.example.com`, hostKey })),
          host: { ...props.host, configuration: { 'config.yaml': `# ${version}\n` } },
        })
        // Only what runs on a host is replaced: order and faults are left to Terraform.
        for (const [runs, resources] of [
          ['prepared', prepare(stack)],
          ['visited', setUp(stack)],
        ] as const) {
          for (const resource of resources) {
            const [name] = resource.triggers_replace.address.split('.')
            const command = `echo ${name} >>${runs}; [ ${name} != two ] || [ ! -e ${runs}-broken ]`
            Object.assign(resource, { provisioner: [{ 'local-exec': { command } }] })
          }
        }
        return stack
      }
      const folder = terraformFolder(terraformOf('first'))
      const path = (name: string) => join(folder.directory, name)
      const apply = () => {
        for (const file of ['prepared', 'visited']) writeFileSync(path(file), '')
        const { status, stdout } = folder.run('apply', '-auto-approve', '-input=false', '-no-color')
        const lines = (file: string) => readFileSync(path(file), 'utf8').split('\n').slice(0, -1)
        return { status, prepared: lines('prepared').sort(), visited: lines('visited'), stdout }
      }
      try {
        expect(folder.run('init', '-input=false').status).toBe(0)
        expect(apply()).toMatchObject({ status: 0, visited: names })
        expect(apply()).toMatchObject({
          status: 0,
          visited: [],
          stdout: expect.stringContaining('No changes'),
        })
        writeFileSync(path('cdk.tf.json'), JSON.stringify(terraformOf('second')))
        writeFileSync(path('prepared-broken'), '')
        expect(apply()).toMatchObject({ status: 1, prepared: names.toSorted(), visited: [] })
        rmSync(path('prepared-broken'))
        writeFileSync(path('visited-broken'), '')
        expect(apply()).toMatchObject({ status: 1, prepared: ['two'], visited: ['one', 'two'] })
        rmSync(path('visited-broken'))
        expect(apply()).toMatchObject({ status: 0, prepared: [], visited: ['two', 'three'] })
      } finally {
        folder.remove()
      }
    },
  )

  terraformTest('uploads the script as it is, whatever looks like a template in it', () => {
    const [upload] = provisioners(setUp(hosts({ hosts: [props.hosts[0]!] }))[0]!)
    const folder = terraformFolder({ output: { script: { value: upload!.file.content } } })
    try {
      expect(folder.run('init', '-input=false').status).toBe(0)
      expect(folder.run('apply', '-auto-approve', '-input=false').status).toBe(0)
      expect(folder.run('output', '-raw', 'script').stdout).toBe(renderHostBootstrap(props.host).script)
    } finally {
      folder.remove()
    }
  })

  test.each<[Partial<HostsGatewayProps>, string]>([
    [{ hosts: [] }, 'stack/gateway: hosts: expected at least one, got none'],
    [{ hosts: [props.hosts[0]!, props.hosts[0]!] }, 'expected each name once, got one, one'],
    [{ hosts: [{ name: 'One', address: 'a', hostKey }] }, 'expected lower-case letters'],
    [{ hosts: [{ name: 'one', address: 'a b', hostKey }] }, 'one: expected an address, got "a b"'],
    [
      { hosts: [{ name: 'one', address: 'a', hostKey: 'AAAA' }] },
      'one: expected a host key such as "ecdsa-sha2-nistp256 AAAA…", got "AAAA"',
    ],
    [{ host: { configuration } }, 'managementNetworks: expected the network that Terraform connects from'],
    [{ ssh: { user: 'a; b' } }, 'ssh.user: expected an account'],
    [{ ssh: { privateKeyPath: '"))}' } }, 'ssh.privateKeyPath: expected a path'],
    [{ host: { ...props.host, sshPort: 0 } }, 'stack/gateway: host bootstrap: sshPort'],
  ])('refuses %j', (changes, message) => {
    expect(() => hosts(changes)).toThrow(ConstructError)
    expect(() => hosts(changes)).toThrow(message)
  })
})
