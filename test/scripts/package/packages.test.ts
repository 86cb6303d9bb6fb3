import { execFileSync, spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Ajv } from 'ajv'
import { makePackages } from '../../../scripts/package/make-packages.ts'
import { findProgram } from '../../../scripts/process/system-programs.ts'
import { root } from '../../../scripts/process/tool.ts'
import { eventually } from '../../support/eventually.ts'
import { startContainer } from '../../support/oci-runtime.ts'
import { programForTests } from '../../support/test-program.ts'

const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
const time = 1_700_000_000
const shellcheck = await programForTests('shellcheck')
const isPossible = process.getuid?.() === 0 && (await findProgram('crun')) !== undefined
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
      'usr/lib/gateway/node_modules/rregex/lib/rregex.wasm',
      'usr/lib/gateway/node_modules/@datadog/native-appsec/prebuilds/linuxglibc-x64/node-napi.node',
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

  shellcheck.test('has shell scripts that shellcheck accepts', async () => {
    const control = join(folder, 'control')
    run('dpkg-deb', '--control', runtime, control)
    const scripts = ['preinst', 'postinst', 'prerm', 'postrm'].map((name) => join(control, name))
    for (const script of scripts) expect(spawnSync('sh', ['-n', script]).status).toBe(0)
    const all = [...scripts, join(folder, 'root/usr/lib/gateway/take-over')]
    expect((await shellcheck.run(all)).stdout.toString()).toBe('')
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

const json = async (path: string) => JSON.parse(await readFile(path, 'utf8'))

describe('the image', () => {
  const blob = (digest: string) => join(folder, 'out/oci/blobs/sha256', digest.slice('sha256:'.length))
  const read = async () => {
    const index = await json(join(folder, 'out/oci/index.json'))
    const manifest = await json(blob(index.manifests[0].digest))
    return { manifest, config: await json(blob(manifest.config.digest)) }
  }

  test('holds its layers under their hashes, below 60 MB', async () => {
    const { manifest, config } = await read()
    const sum = (path: string) => `sha256:${run('sha256sum', path).split(' ')[0]}`
    for (const { digest } of manifest.layers) expect(sum(blob(digest))).toBe(digest)
    expect(config.rootfs.diff_ids).toHaveLength(manifest.layers.length)
    const sizes = manifest.layers.map(({ size }: { size: number }) => size)
    expect(sizes.reduce((total: number, size: number) => total + size, 0)).toBeLessThan(60e6)
    expect(config.config).toMatchObject({ User: '65532:65532', StopSignal: 'SIGTERM' })
  })

  const title = 'answers on its network in a read-only root, as a user without rights, with no shell inside'
  const inContainer = isPossible ? test : test.skip
  inContainer(`${title}${isPossible ? '' : ' (skipped: needs root and crun)'}`, async () => {
    const { manifest, config } = await read()
    const image = join(folder, 'image')
    await mkdir(image)
    for (const { digest } of manifest.layers)
      run('tar', '--extract', '--gzip', '--file', blob(digest), '--directory', image)
    await expect(stat(join(image, 'bin/sh'))).rejects.toThrow('ENOENT')
    const configurationFolder = join(folder, 'configuration')
    await mkdir(configurationFolder)
    const firewalled = {
      listeners: [{ port: 8080 }],
      services: [{ name: 'none', url: 'http://127.0.0.1:9' }],
      routes: [{ name: 'all', service: 'none', paths: ['/'] }],
      // A host that is an address is suspicious to some rules already.
      plugins: [{ name: 'waf', config: { anomaly_threshold: 15, time_budget: 1_000 } }],
    }
    await writeFile(join(configurationFolder, 'config.yaml'), JSON.stringify(firewalled))
    const options = { root: image, configuration: config.config, configurationFolder, subnet: 91 }
    const container = await startContainer(options)
    try {
      const ask = (path: string) =>
        fetch(`http://${container.address}:8080${path}`).then(
          ({ status }) => status,
          () => undefined,
        )
      await eventually('an answer', async () => (await ask('/')) === 502, 30_000).catch((error) => {
        throw new Error(`${error.message}; it wrote: ${container.program.output()}`)
      })
      const attack = new URLSearchParams({
        a: "1' OR '1'='1'--",
        b: '<script>alert(1)</script>',
        c: '/../etc/passwd',
      })
      expect(await ask(`/?${attack}`)).toBe(403) // by the rules and the machine code inside
      await eventually('the health check to pass', async () => (await container.checkHealth()) === 0)
    } finally {
      await container.stop()
    }
  })
})

describe('the evidence', () => {
  test('sums that sha256sum confirms', () => {
    expect(() =>
      execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: join(folder, 'out') }),
    ).not.toThrow()
  })

  test('a bill of materials that CycloneDX accepts, with Node.js and the bundled modules', async () => {
    const text = await readFile(join(folder, 'out/sbom.cdx.json'), 'utf8')
    const names = JSON.parse(text).components.map(({ name }: { name: string }) => name)
    expect(names).toEqual(
      expect.arrayContaining(['node', 'fastify', 'undici', 'zod', '@datadog/native-appsec']),
    )
    const schemas = join(root, 'node_modules/@cyclonedx/cyclonedx-library/res/schema')
    const schema = (name: string) => json(join(schemas, `${name}.SNAPSHOT.schema.json`))
    const ajv = new Ajv({ strict: false, validateFormats: false })
    for (const name of ['spdx', 'jsf-0.82', 'cryptography-defs']) {
      ajv.addSchema(await schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`)
    }
    ajv.validate(await schema('bom-1.6'), JSON.parse(text))
    expect(ajv.errors ?? []).toEqual([])
  })

  test('a provenance that names all that was made, and the sources', async () => {
    const { subject, predicate } = JSON.parse(await readFile(join(folder, 'out/provenance.json'), 'utf8'))
    const names = subject.map(({ name }: { name: string }) => name)
    expect(names).toContain('apt/pool/main/g/gateway-runtime/gateway-runtime_1.2.3_amd64.deb')
    const uris = predicate.buildDefinition.resolvedDependencies.map(({ uri }: { uri: string }) => uri)
    expect(uris).toEqual(
      expect.arrayContaining(['file:gateway-runtime/src/gateway.ts', 'file:package-lock.json']),
    )
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
