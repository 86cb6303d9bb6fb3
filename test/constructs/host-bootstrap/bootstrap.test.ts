import { execFileSync, spawnSync } from 'node:child_process'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { hereDocument, quote } from '../../../constructs/host-bootstrap/shell.ts'
import { serviceUnitFile } from '../../../constructs/host-bootstrap/systemd.ts'
import { type HostDescription, renderHostBootstrap, renderUserData } from '../../../constructs/index.ts'
import { edgeRole, redisRole } from './roles.ts'

const host: HostDescription = {
  configuration: { 'config.yaml': 'workers: auto\n', 'services.yaml': 'services: []\n' },
  managementNetworks: ['10.1.0.0/16', 'fd00::/8'],
  monitoringNetworks: ['10.2.0.0/16'],
}
const signingKey =
  '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n'
const fileOf = (path: string, changes: Partial<HostDescription> = {}) =>
  renderHostBootstrap({ ...host, ...changes }).files.find((file) => file.path === path)
const bash = (script: string, ...args: string[]) =>
  execFileSync('bash', [...args, '-c', script], { encoding: 'utf8' })

const variants: [string, HostDescription][] = [
  ['a plain host', host],
  ['a log device', { ...host, logDevice: '/dev/disk/by-id/nvme-eui.0025388b710116a1' }],
  ['any log device', { ...host, logDevice: 'auto' }],
  ['an EC2 instance', { configuration: {}, aws: { followConfiguration: true } }],
  ['an edge', { edge: edgeRole }],
  ['a host of Redis', { redis: redisRole, managementNetworks: ['10.1.0.0/16'] }],
  [
    'a host of all roles',
    { ...host, usesRedis: true, edges: ['10.0.0.1'], edge: edgeRole, redis: redisRole },
  ],
  [
    'an apt repository',
    { ...host, aptRepository: { url: 'https://packages.example.com/debian', signingKey } },
  ],
]

describe('renderHostBootstrap', () => {
  test.each(variants)('gives bash for %s', (_, description) => {
    const { status, stderr } = spawnSync('bash', ['-n'], {
      input: renderHostBootstrap(description).script,
      encoding: 'utf8',
    })
    expect([status, stderr]).toEqual([0, ''])
  })

  const shellcheck = spawnSync('shellcheck', ['--version']).status === 0
  const orSkip = shellcheck ? test : test.skip
  orSkip(`satisfies shellcheck${shellcheck ? '' : ' (skipped: shellcheck is not installed)'}`, () => {
    const leave = fileOf('/usr/local/sbin/gateway-leave')!.content
    for (const input of [
      leave,
      ...variants.map(([, description]) => renderHostBootstrap(description).script),
    ]) {
      expect(spawnSync('shellcheck', ['--shell=bash', '-'], { input, encoding: 'utf8' }).stdout).toBe('')
    }
  })

  test('gives equal bytes for equal descriptions', () => {
    const { script } = renderHostBootstrap(host)
    expect(renderHostBootstrap(structuredClone(host)).script).toBe(script)
    expect(renderUserData(renderHostBootstrap(host))).toBe(
      renderUserData(renderHostBootstrap(structuredClone(host))),
    )
  })

  test('fits into user data with room for a configuration', () => {
    const packed = Buffer.from(renderUserData(renderHostBootstrap(host)), 'base64')
    expect(packed.length).toBeLessThan(8_192)
    expect(gunzipSync(packed).toString()).toBe(renderHostBootstrap(host).script)
  })

  test('stops before any change when it is not root', () => {
    const script = `id() { echo 1000; }\n${renderHostBootstrap(host).script.replace('#!/usr/bin/env bash', '')}`
    const { status, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
    expect(status).toBe(1)
    expect(stderr).toBe(
      'gateway-bootstrap: audit\n' +
        'gateway-bootstrap: stopped: root is needed, for the firewall and for ports below 1024. Run it with sudo\n',
    )
  })

  test('writes a file once, and keeps what it replaces', () => {
    const directory = mkdtempSync(join(tmpdir(), 'gateway-bootstrap-'))
    try {
      const { script } = renderHostBootstrap(host)
      const functions = script.slice(0, script.indexOf("say 'audit'"))
      const put = (content: string) =>
        spawnSync(
          'bash',
          [
            '-c',
            `${functions}\nchown() { :; }\nbackups=${directory}/backups\n` +
              `printf '%s' ${quote(content)} | put_file ${directory}/etc/config.yaml 0640 gateway:gateway`,
          ],
          { encoding: 'utf8' },
        )
      const read = (path: string) => readFileSync(join(directory, path), 'utf8')

      expect(put('one').stderr).toBe(`gateway-bootstrap: wrote ${directory}/etc/config.yaml\n`)
      expect(read('etc/config.yaml')).toBe('one')
      expect(statSync(`${directory}/etc/config.yaml`).mode & 0o777).toBe(0o640)

      expect(put('one')).toMatchObject({ status: 0, stderr: '' })

      expect(put('two').status).toBe(0)
      expect(read('etc/config.yaml')).toBe('two')
      expect(readdirSync(`${directory}/etc`)).toEqual(['config.yaml'])
      const [backup] = readdirSync(`${directory}/backups`)
      expect(read(`backups/${backup}`)).toBe('one')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  test('sets the kernel parameters of the design', () => {
    const { content } = fileOf('/etc/sysctl.d/90-gateway.conf')!
    expect(content).toMatch(/^net\.core\.somaxconn = 4096$/m)
    expect(content).toMatch(/^-net\.ipv4\.tcp_migrate_req = 1$/m)
    for (const line of content.trimEnd().split('\n'))
      expect(line).toMatch(/^# .+|^-?[a-z0-9_.]+ = \d+( \d+)?$/)
  })

  test('delivers the configuration to the service alone, whole', () => {
    expect(fileOf('/etc/gateway/config.yaml')).toEqual({
      path: '/etc/gateway/config.yaml',
      mode: '0640',
      owner: 'gateway:gateway',
      content: 'workers: auto\n',
    })
  })

  test('runs the service without root, able to bind low ports and nothing more', () => {
    expect(fileOf('/etc/systemd/system/gateway-service.service')).toBeUndefined() // the package has it
    const content = serviceUnitFile
    expect(content).toMatch(/^User=gateway$/m)
    expect(content).toMatch(/^CapabilityBoundingSet=CAP_NET_BIND_SERVICE$/m)
    for (const line of ['NoNewPrivileges=yes', 'ProtectSystem=strict', 'LimitNOFILE=1048576']) {
      expect(content).toContain(line)
    }
    expect(content).not.toContain('MemoryDenyWriteExecute=yes')
  })

  test('trusts an apt repository by its key alone', () => {
    const aptRepository = { url: 'https://packages.example.com/debian', signingKey }
    const { content } = fileOf('/etc/apt/sources.list.d/gateway.sources', { aptRepository })!
    expect(content).toContain('Signed-By: /etc/apt/keyrings/gateway.asc')
    expect(content).not.toMatch(/trusted/i)
    expect(renderHostBootstrap({ ...host, aptRepository }).script).toContain('download gateway-runtime\n')
    const { script } = renderHostBootstrap({ ...host, aptRepository: { ...aptRepository, version: '1.2.3' } })
    expect(script).toContain('download gateway-runtime=1.2.3\n')
  })

  test('has no unit for a log volume that was not asked for', () => {
    expect(fileOf('/etc/systemd/system/var-log-gateway.mount')).toBeUndefined()
    expect(renderHostBootstrap(host).script).not.toContain('mkfs.xfs -q')
  })

  test('holds nothing that a value could make bash run', () => {
    const marker = `$(touch /tmp/x) \`id\` ' " \\ END_OF_FILE\nEND_OF_FILE\nEND_OF_FILE_1\n`
    const { script } = renderHostBootstrap({ ...host, configuration: { 'config.yaml': marker } })
    const start = script.indexOf("stage_file 'config.yaml'")
    const end = script.indexOf('chmod 0640 "$staged"')
    expect(bash(`stage_file() { cat; }\n${script.slice(start, end)}`)).toBe(marker)
  })

  test.each<[Partial<HostDescription>, string]>([
    [{ configuration: {} }, 'config.yaml is missing'],
    [
      { configuration: { 'config.yaml': '', '../x.yaml': '' } },
      'expected file names such as config.yaml, got "../x.yaml"',
    ],
    [{ configuration: { 'config.yaml': 'a\0b' } }, 'has no NUL byte'],
    [
      { managementNetworks: ['10.0.0.0/8 -j ACCEPT'] },
      'managementNetworks: expected a network such as 10.0.0.0/8',
    ],
    [{ monitoringNetworks: ['10.0.0.0/33'] }, 'monitoringNetworks: expected a network'],
    [{ ingressPorts: [70_000] }, 'ingressPorts: expected 1 to 65535, got 70000'],
    [{ ingressPorts: [] }, 'ingressPorts: expected at least one port'],
    [{ sshPort: 0 }, 'sshPort: expected 1 to 65535, got 0'],
    [{ logDevice: '/dev/../etc/passwd' }, "logDevice: expected 'auto' or a path below /dev"],
    [{ logDevice: "/dev/sda' ; reboot" }, 'logDevice'],
    [
      { aptRepository: { url: 'ftp://packages.example.com', signingKey } },
      'aptRepository.url: expected an http or https address',
    ],
    [{ aptRepository: { url: 'https://x.example\nTrusted: yes', signingKey } }, 'aptRepository.url'],
    [
      { aptRepository: { url: 'https://x.example', suite: 'a\nTrusted: yes', signingKey } },
      'aptRepository.suite',
    ],
    [
      { aptRepository: { url: 'https://x.example', version: '1.0; reboot', signingKey } },
      'aptRepository.version: expected a version such as 1.2.3',
    ],
    [
      { aptRepository: { url: 'https://x.example', signingKey: 'none' } },
      'expected an ASCII-armoured PGP public key',
    ],
  ])('refuses %j', (changes, message) => {
    expect(() => renderHostBootstrap({ ...host, ...changes })).toThrow(message)
  })

  test('names all that is wrong at once', () => {
    expect(() => renderHostBootstrap({ ...host, sshPort: 0, ingressPorts: [0] })).toThrow(
      /ingressPorts.*sshPort/,
    )
  })
})

describe('the firewall', () => {
  const rules = (family: 'v4' | 'v6', changes: Partial<HostDescription> = {}) =>
    fileOf(`/etc/iptables/rules.${family}`, changes)!.content.split('\n')

  test('drops what is not named', () => {
    expect(rules('v4')).toEqual(expect.arrayContaining([':INPUT DROP [0:0]', ':FORWARD DROP [0:0]']))
    expect(rules('v6')).toEqual(expect.arrayContaining([':INPUT DROP [0:0]', ':FORWARD DROP [0:0]']))
  })

  test('opens ingress to all, and the rest to the networks given', () => {
    expect(rules('v4')).toContain('-A INPUT -j GATEWAY')
    expect(rules('v4').filter((rule) => rule.includes('--dport '))).toEqual([
      '-A GATEWAY -p tcp --dport 80 -j ACCEPT',
      '-A GATEWAY -p tcp --dport 443 -j ACCEPT',
      '-A GATEWAY -s 10.1.0.0/16 -p tcp --dport 22 -j ACCEPT',
      '-A GATEWAY -s 10.1.0.0/16 -p tcp --dport 8444 -j ACCEPT',
      '-A GATEWAY -s 10.2.0.0/16 -p tcp --dport 9090 -j ACCEPT',
    ])
    expect(rules('v6').filter((rule) => rule.includes('-p tcp --dport '))).toEqual([
      '-A GATEWAY -p tcp --dport 80 -j ACCEPT',
      '-A GATEWAY -p tcp --dport 443 -j ACCEPT',
      '-A GATEWAY -s fd00::/8 -p tcp --dport 22 -j ACCEPT',
      '-A GATEWAY -s fd00::/8 -p tcp --dport 8444 -j ACCEPT',
    ])
  })

  test('lets one client have so much of what is open to all, and no more', () => {
    const limits = (changes: Partial<HostDescription>, family: 'v4' | 'v6' = 'v4') =>
      rules(family, changes).filter((rule) => rule.includes('--syn'))
    expect(limits({})).toEqual([
      '-A GATEWAY -p tcp --syn -m multiport --dports 80,443 -m hashlimit --hashlimit-above 400/second --hashlimit-burst 800 --hashlimit-mode srcip --hashlimit-srcmask 32 --hashlimit-name gateway -j DROP',
      '-A GATEWAY -p tcp --syn -m multiport --dports 80,443 -m connlimit --connlimit-above 4000 --connlimit-mask 32 -j REJECT --reject-with tcp-reset',
    ])
    const own = { clientLimits: { connections: 10, newPerSecond: 5 } }
    expect(limits(own, 'v6').join()).toMatch(/above 5\/.*srcmask 64.*above 10 --connlimit-mask 64/)
    expect(rules('v4').findIndex((rule) => rule.includes('connlimit'))).toBeLessThan(
      rules('v4').indexOf('-A GATEWAY -p tcp --dport 80 -j ACCEPT'),
    )
    expect(limits({ edges: ['10.0.0.1'] })).toEqual([]) // it speaks for all clients
    expect(limits({ aws: { followConfiguration: false } })).toEqual([])
  })

  test('opens ports of a mesh to its networks', () => {
    expect(rules('v4', { meshNetworks: ['10.3.0.0/16'] })).toContain(
      '-A GATEWAY -s 10.3.0.0/16 -p tcp --dport 10000:15000 -j ACCEPT',
    )
  })

  test('opens SSH, admin and metrics to nobody without a network', () => {
    const closed = rules('v4', { managementNetworks: [], monitoringNetworks: [] }).join('\n')
    expect(closed).not.toMatch(/dport (22|8444|9090)/)
  })

  const usable = spawnSync('iptables-restore', ['--test'], { input: '*filter\nCOMMIT\n' }).status === 0
  const orSkip = usable ? test : test.skip
  orSkip(
    `is taken by iptables-restore${usable ? '' : ' (skipped: iptables or the right to use it is missing)'}`,
    () => {
      for (const [family, program] of [
        ['v4', 'iptables-restore'],
        ['v6', 'ip6tables-restore'],
      ] as const) {
        const { status, stderr } = spawnSync(program, ['--test', '--noflush'], {
          input: rules(family).join('\n'),
          encoding: 'utf8',
        })
        expect([status, stderr]).toEqual([0, ''])
      }
    },
  )
})

describe('the units', () => {
  const usable = spawnSync('systemd-analyze', ['--version']).status === 0
  const orSkip = usable ? test : test.skip
  orSkip(`are understood by systemd${usable ? '' : ' (skipped: systemd-analyze is not installed)'}`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'gateway-units-'))
    try {
      const units = renderHostBootstrap({ ...host, logDevice: 'auto' })
        .files.filter(({ path }) => path.startsWith('/etc/systemd/system/'))
        .map(({ path, content }) => {
          const file = join(directory, basename(path))
          writeFileSync(file, content)
          return file
        })
      const { stderr } = spawnSync('systemd-analyze', ['verify', ...units], { encoding: 'utf8' })
      const complaints = stderr.split('\n').filter((line) => line !== '')
      expect(units.map((unit) => basename(unit)).sort()).toEqual([
        'gateway-firewall.service',
        'gateway-log-space.service',
        'gateway-log-space.timer',
        'var-log-gateway.mount',
      ])
      // What they start is not installed here, nor are its manual pages.
      expect(complaints.filter((line) => !/is not executable|Command 'man gateway/.test(line))).toEqual([])
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

describe('the log volume', () => {
  const { script } = renderHostBootstrap({ ...host, logDevice: 'auto' })
  const functions = script.slice(script.indexOf('why_not_blank()'), script.indexOf('log_device()'))
  const reason = (device: string) =>
    bash(`set -euo pipefail\n${functions}\nwhy_not_blank ${quote(device)}`).trim()

  /** A disk of 64 MiB that is a file; undefined where the machine does not allow one. */
  const attach = (file: string) => {
    closeSync(openSync(file, 'w'))
    truncateSync(file, 67_108_864)
    const { status, stdout } = spawnSync('losetup', ['--find', '--show', file], { encoding: 'utf8' })
    return status === 0 ? stdout.trim() : undefined
  }
  const withDisk = (run: (device: string | undefined) => void) => {
    const directory = mkdtempSync(join(tmpdir(), 'gateway-disk-'))
    const device = attach(join(directory, 'disk'))
    try {
      run(device)
    } finally {
      if (device) spawnSync('losetup', ['--detach', device])
      rmSync(directory, { recursive: true })
    }
  }
  let usable = false
  withDisk((device) => {
    usable = device !== undefined
  })
  const orSkip = usable ? test : test.skip
  const name = (text: string) => `${text}${usable ? '' : ' (skipped: no right to use loop devices)'}`

  orSkip(name('takes a blank disk'), () => {
    withDisk((device) => expect(reason(device!)).toBe(''))
  })

  orSkip(name('never takes a disk that holds data, with a file system or without'), () => {
    withDisk((device) => {
      const disk = openSync(device!, 'r+')
      writeSync(disk, 'x', 5_000_000)
      closeSync(disk)
      expect(reason(device!)).toBe('holds data')
    })
    withDisk((device) => {
      expect(spawnSync('mkfs.ext4', ['-q', device!]).status).toBe(0)
      expect(reason(device!)).toBe('holds a file system or partition table')
    })
  })

  test('never takes what is no disk', () => {
    expect(reason('/dev/null')).toBe('is no block device')
  })
})

describe('quoting', () => {
  const text = fc
    .string({ unit: 'binary', maxLength: 200 })
    .map((any) => any.replaceAll('\0', '').toWellFormed())

  test('quote: bash reads one word, whatever it holds', () => {
    fc.assert(
      fc.property(text, (word) => {
        expect(bash(`printf '%s.' ${quote(word)}`)).toBe(`${word}.`)
      }),
      { numRuns: 25 },
    )
  })

  test('hereDocument: bash reads the text as it is', () => {
    const lines = fc
      .array(fc.oneof(text, fc.constantFrom('END_OF_FILE', 'END_OF_FILE_1', '$HOME', '`id`', '\\')), {
        maxLength: 5,
      })
      .map((all) => all.map((line) => `${line}\n`).join(''))
    fc.assert(
      fc.property(lines, (document) => {
        expect(bash(`cat ${hereDocument(document)}\n`)).toBe(document)
      }),
      { numRuns: 25 },
    )
  })
})
