import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Program, startProgram } from '../../scripts/process/program.ts'

const run = promisify(execFile)

/** What of an image's configuration (OCI image specification, config.md) a runtime goes by. */
export interface ImageConfiguration {
  readonly User: string
  readonly Entrypoint: readonly string[]
  readonly Cmd: readonly string[]
  readonly Env: readonly string[]
  readonly WorkingDir: string
  readonly Volumes: Readonly<Record<string, object>>
  readonly Healthcheck: { readonly Test: readonly string[] }
}

export interface Container {
  /** Its address, in a network that only this machine sees. */
  readonly address: string
  readonly program: Program
  /** Runs the health check of the image inside; resolves with its exit code. */
  checkHealth(): Promise<number>
  stop(): Promise<void>
}

export interface ContainerOptions {
  /** Unpacked layers. */
  readonly root: string
  readonly configuration: ImageConfiguration
  /** Folder that is seen as /etc/gateway. */
  readonly configurationFolder: string
  /** Third octet of the container's network, of which there must be one at a time. */
  readonly subnet: number
}

/**
 * Starts an image with crun as Kubernetes does with the manifests: the image's user, read-only root, no capability, no
 * new privileges, namespaces of its own; volumes in memory.
 */
export async function startContainer(options: ContainerOptions): Promise<Container> {
  const name = `gh-oci-${process.pid}`
  const bundle = await mkdtemp(join(tmpdir(), 'gatehouse-oci-'))
  const state = join(bundle, 'state')
  const [neighbour, address] = [`10.232.${options.subnet}.1`, `10.232.${options.subnet}.2`]
  await mkdir(state)
  await writeFile(join(bundle, 'config.json'), JSON.stringify(specification(options, `/run/netns/${name}`)))
  await connect(name, neighbour, address)
  const crun = [...onlyUnifiedCgroups, 'crun', `--root=${state}`, '--cgroup-manager=disabled'] as const
  const program = await startProgram({ name, command: [...crun, 'run', `--bundle=${bundle}`, name] })
  const [, ...check] = options.configuration.Healthcheck.Test
  return {
    address,
    program,
    checkHealth: () =>
      run(crun[0], [...crun.slice(1), 'exec', name, ...check]).then(
        () => 0,
        (error: { code?: number }) => error.code ?? 1,
      ),
    async stop() {
      await run(crun[0], [...crun.slice(1), 'kill', name, 'TERM']).catch(() => {})
      await program.stop()
      await run('ip', ['netns', 'delete', name]).catch(() => {})
      await rm(bundle, { recursive: true, force: true })
    },
  }
}

/** crun refuses hosts that have control groups of both versions: it is shown those of the second alone. */
const onlyUnifiedCgroups = [
  'unshare',
  '--mount',
  'sh',
  '-c',
  'umount --recursive --lazy /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec "$@"',
  '--',
] as const

async function connect(name: string, neighbour: string, address: string): Promise<void> {
  const outside = `gc${process.pid % 100_000}`
  for (const line of [
    `netns add ${name}`,
    `link add ${outside} type veth peer name eth0 netns ${name}`,
    `addr add ${neighbour}/24 dev ${outside}`,
    `link set ${outside} up`,
    `-n ${name} addr add ${address}/24 dev eth0`,
    `-n ${name} link set eth0 up`,
    `-n ${name} link set lo up`,
  ]) {
    await run('ip', line.split(' '))
  }
}

/** By the OCI runtime specification, config.md. */
function specification({ root, configuration, configurationFolder }: ContainerOptions, network: string) {
  const [uid, gid] = configuration.User.split(':').map(Number)
  const memory = (destination: string, mode: string) => ({
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'nodev', 'noexec', `mode=${mode}`],
  })
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid, gid },
      args: [...configuration.Entrypoint, ...configuration.Cmd],
      env: configuration.Env,
      cwd: configuration.WorkingDir,
      noNewPrivileges: true,
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
    },
    root: { path: root, readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      ...Object.keys(configuration.Volumes).map((path) => memory(path, '1777')),
      { destination: '/etc/gateway', source: configurationFolder, options: ['bind', 'ro'] },
    ],
    linux: {
      namespaces: [
        ...['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
        { type: 'network', path: network },
      ],
    },
  }
}
