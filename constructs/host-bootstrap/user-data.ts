import { gzipSync } from 'node:zlib'
import type { HostBootstrap } from './bootstrap.ts'

/** Largest user data that EC2 takes, in bytes before base64 (EC2 User Guide, "Run commands at launch"). */
export const userDataLimit = 16_384

/**
 * The bootstrap as EC2 user data: the script, gzipped (cloud-init unpacks and runs it) and in base64.
 * @throws Error when it is larger than EC2 takes
 */
export function renderUserData({ files, script }: HostBootstrap): string {
  const packed = gzipSync(script, { level: 9 })
  packed[9] = 255 // the operating system it was packed on: must not change the bytes
  if (packed.length > userDataLimit) {
    const largest = [...files].sort((a, b) => b.content.length - a.content.length)[0]
    throw new Error(
      `user data: expected at most ${userDataLimit} bytes after gzip, got ${packed.length}. ` +
        `The largest file is ${largest?.path} (${largest?.content.length} characters): move routes and services ` +
        'to the admin API, or shorten it',
    )
  }
  return packed.toString('base64')
}
