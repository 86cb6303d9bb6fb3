import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../../scripts/process/free-port.ts'
import { startProgram } from '../../scripts/process/program.ts'

const run = promisify(execFile)
const uefi = '/usr/share/ovmf/OVMF.fd'

export interface VirtualMachine {
  /** Address on this machine that leads to port 80 of the guest. */
  readonly url: string
  /** What the guest has written to its serial console. */
  console(): Promise<string>
  readonly hasEnded: boolean
  stop(): Promise<void>
}

/**
 * Boots a raw disk image in QEMU; what the guest writes is forgotten. Cloud-init finds the user data on a second disk
 * (NoCloud). Without virtualisation in hardware QEMU translates, which takes minutes.
 */
export async function bootImage(
  image: string,
  firmware: 'BIOS' | 'UEFI',
  userData: string,
): Promise<VirtualMachine> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-vm-'))
  const [port, serial] = [await freePort(), join(folder, 'serial')]
  const isVirtual = / (vmx|svm) /.test(await readFile('/proc/cpuinfo', 'utf8'))
  const machine = [
    ...(isVirtual ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg,thread=multi', '-cpu', 'max']),
    ...[
      '-smp',
      '2',
      '-m',
      '1024',
      '-display',
      'none',
      '-serial',
      `file:${serial}`,
      '-no-reboot',
      '-snapshot',
    ],
    ...['-drive', `file=${image},format=raw,if=virtio`],
    ...['-drive', `file=${await seed(folder, userData)},format=raw,if=virtio,readonly=on`],
    ...['-nic', `user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:${port}-:80`],
    ...(firmware === 'UEFI' ? ['-bios', uefi] : []),
  ]
  const program = await startProgram({ name: 'qemu', command: ['qemu-system-x86_64', ...machine] })
  return {
    url: `http://127.0.0.1:${port}`,
    console: async () => `${await readFile(serial, 'utf8').catch(() => '')}\n${program.output()}`,
    get hasEnded() {
      return program.hasExited
    },
    async stop() {
      await program.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The disk with what cloud-init is told (cloud-init documentation, "NoCloud"). */
async function seed(folder: string, userData: string): Promise<string> {
  const disk = join(folder, 'seed.img')
  await writeFile(join(folder, 'user-data'), userData)
  await writeFile(join(folder, 'meta-data'), 'instance-id: test\nlocal-hostname: gateway-test\n')
  await run('mkfs.vfat', ['-n', 'CIDATA', '-C', disk, '1024'])
  await run('mcopy', ['-i', disk, join(folder, 'user-data'), join(folder, 'meta-data'), '::'])
  return disk
}
