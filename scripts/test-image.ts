import { installPackages } from './process/system-programs.ts'
import { runTests } from './test/jest.ts'

/*
 * Makes the disk image and boots it in QEMU by BIOS and by UEFI, until the gateway in it answers: some minutes where
 * the processor helps with virtualisation, a quarter of an hour elsewhere. The last line is that of `npm test`.
 */

const packages = [
  ...['qemu-system-x86', 'ovmf', 'mmdebstrap', 'grub-common', 'grub-pc-bin', 'grub-efi-amd64-bin'],
  ...['dosfstools', 'mtools', 'e2fsprogs', 'fdisk'],
]
await installPackages(packages).catch((error: Error) => process.stderr.write(`${error.message}\n`))
process.env.GATEHOUSE_TEST_IMAGE = '1'
await runTests(['test/scripts/package/disk-image.test.ts'])
