/** What the name of an EC2 instance type says (EC2 User Guide, "Instance type naming conventions"). */

export const isInstanceType = (text: string) => /^[a-z][a-z0-9-]*\.[a-z0-9-]+$/.test(text)

/** Whether an instance type is of the Graviton family: c7g, m6gd, im4gn, a1. */
export const isGraviton = (instanceType: string) => /^([a-z]+\d+g|a1\.)/.test(instanceType)

export type Architecture = 'amd64' | 'arm64'

/** As Debian calls it. */
export const architectureOf = (instanceType: string): Architecture =>
  isGraviton(instanceType) ? 'arm64' : 'amd64'

/** Families that have local disks without saying so by a "d": storage optimized and some accelerated ones. */
const storageFamilies = /^(i[3-9]|im\d|is\d|d[2-9]|h1|g[4-9]|p[3-9]|x[12]|z1d)/

/** Whether an instance type has NVMe disks of its own (instance store): c7gd, c6id, m6idn, i4i. */
export const hasInstanceStore = (instanceType: string) => {
  const family = instanceType.split('.')[0]!
  return storageFamilies.test(family) || /^[a-z]+\d+[a-z-]*d/.test(family)
}
