import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { makePackages } from '../../../scripts/package/make-packages.ts'
import { findProgram } from '../../../scripts/process/system-programs.ts'

const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
const time = 1_700_000_000
let folder: string
let repository: string
let runtime: string
let repo: string

const make = (into: string) =>
  makePackages({
    folder: into,
    version: '1.2.3',
    time,
    repositoryUrl: 'https://packages.example.com/debian',
    keyFile: join(folder, 'key.asc'),
    only: 'amd64',
  })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  await make(join(folder, 'out'))
  repository = join(folder, 'out/apt')
  runtime = join(repository, 'pool/main/g/gateway-runtime/gateway-runtime_1.2.3_amd64.deb')
  repo = join(repository, 'pool/main/g/gateway-package-repo/gateway-package-repo_1.2.3_all.deb')
}, 180_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('npm run package', () => {
  test('gives the same bytes in another folder', async () => {
    await make(join(folder, 'other/place'))
    const names = async (root: string) =>
      (await readdir(root, { recursive: true }))
        .filter((name) => name.includes('.') || /Release|Packages/.test(name))
        .sort()
    expect(await names(join(folder, 'other/place'))).toEqual(await names(join(folder, 'out')))
    for (const name of await names(join(folder, 'out'))) {
      const path = join(folder, 'out', name)
      if (!(await stat(path)).isFile()) continue
      const other = await readFile(join(folder, 'other/place', name))
      expect([name, other.equals(await readFile(path))]).toEqual([name, true])
    }
  }, 180_000)

  test('makes a key that only its owner reads', async () => {
    expect((await stat(join(folder, 'key.asc'))).mode & 0o777).toBe(0o600)
  })
})

describe('gateway-runtime', () => {
  test('holds the program, the service, configuration and documentation', () => {
    const paths = run('dpkg-deb', '--contents', runtime)
    for (const path of [
      'usr/bin/gateway -> ../lib/gateway/gateway',
      'usr/bin/gateway-cli -> ../lib/gateway/gateway-cli',
      'usr/lib/gateway/node',
      'usr/lib/systemd/system/gateway-service.service',
      'usr/lib/sysctl.d/90-gateway.conf',
      'usr/lib/sysusers.d/gateway.conf',
      'usr/share/gateway/iptables/rules.v6',
      'usr/share/man/man1/gateway-cli.1.gz',
      'usr/share/man/man8/gateway.8.gz',
      'usr/share/bash-completion/completions/gateway-cli',
      'etc/logrotate.d/gateway-runtime',
    ]) {
      expect(paths).toContain(`./${path}\n`)
    }
  })

  test('leaves the configuration to the administrator', () => {
    expect(run('dpkg-deb', '--info', runtime, 'conffiles')).toBe(
      '/etc/gateway/config.yaml\n/etc/gateway/services.yaml\n/etc/logrotate.d/gateway-runtime\n',
    )
  })

  test('runs from where it was unpacked', () => {
    const target = join(folder, 'root')
    run('dpkg-deb', '--extract', runtime, target)
    expect(run(join(target, 'usr/bin/gateway'), '--version')).toMatch(/^\d/)
    expect(
      run(join(target, 'usr/bin/gateway-cli'), '--config', join(target, 'etc/gateway'), 'config', 'validate'),
    ).toContain('is right')
  })

  test('completes commands in bash', () => {
    const script = `. ${join(folder, 'root')}/usr/share/bash-completion/completions/gateway-cli
COMP_WORDS=(gateway-cli --config /x routes a); COMP_CWORD=4; _gateway_cli; echo "\${COMPREPLY[@]}"`
    expect(run('bash', '-c', script)).toBe('add\n')
  })

  test('has shell scripts that shellcheck accepts', async () => {
    const control = join(folder, 'control')
    run('dpkg-deb', '--control', runtime, control)
    const scripts = ['postinst', 'prerm', 'postrm'].map((name) => join(control, name))
    for (const script of scripts) expect(spawnSync('sh', ['-n', script]).status).toBe(0)
    if (!(await findProgram('shellcheck'))) return
    const all = [...scripts, join(folder, 'root/usr/lib/gateway/take-over')]
    expect(spawnSync('shellcheck', all, { encoding: 'utf8' }).stdout).toBe('')
  })
})

describe('the repository', () => {
  test('is signed, and names the packages by their hashes', async () => {
    const suite = join(repository, 'dists/stable')
    const keyring = join(repository, 'gateway-archive-keyring.gpg')
    expect(run('gpgv', '--quiet', '--keyring', keyring, join(suite, 'InRelease'))).toBe('')
    expect(
      run('gpgv', '--quiet', '--keyring', keyring, join(suite, 'Release.gpg'), join(suite, 'Release')),
    ).toBe('')
    const index = await readFile(join(suite, 'main/binary-amd64/Packages'), 'utf8')
    expect(index).toContain(run('sha256sum', runtime).split(' ')[0])
    expect(index).toContain(run('sha256sum', repo).split(' ')[0])
  })
})

const lintian = await findProgram('lintian')
const orSkip = lintian ? test : test.skip
orSkip(
  `lintian finds no error${lintian ? '' : ' (skipped: lintian is not installed)'}`,
  () => {
    const args = ['--fail-on', 'error', '--tag-display-limit', '0', '--allow-root', runtime, repo]
    const { status, stdout } = spawnSync('lintian', args, { encoding: 'utf8' })
    expect([status, stdout.split('\n').filter((line) => line.startsWith('E:'))]).toEqual([0, []])
  },
  120_000,
)
