import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parseAllDocuments } from 'yaml'
import { configurationSchema } from '../../gateway-runtime/src/config/index.ts'
import { root } from '../../scripts/process/tool.ts'
import { temporaryFolders } from '../support/temporary-folder.ts'
import { typeCheck } from '../support/type-check.ts'

const folder = temporaryFolders()
const text = readFileSync(join(root, 'deploy/kubernetes/gateway.yaml'), 'utf8')

interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly data?: Readonly<Record<string, string>>
}

const manifests = (): Manifest[] => parseAllDocuments(text).map((document) => document.toJS() as Manifest)

/** What the schemas of the API (its OpenAPI document, as types) say of manifests: also of fields that it has not. */
async function complaints(all: readonly Manifest[]): Promise<string> {
  const lines = all.map(({ apiVersion, kind, ...rest }, index) => {
    const module = apiVersion.includes('/') ? apiVersion.replace(/\.k8s\.io|(?=$)/, '') : `core/${apiVersion}`
    const object = JSON.stringify({ apiVersion, kind, ...rest })
    return `import type { ${kind} as Kind${index} } from 'kubernetes-types/${module}.js'\nexport const manifest${index}: Kind${index} = ${object}\n`
  })
  return typeCheck(await folder(), lines.join(''))
}

describe('the manifests of Kubernetes', () => {
  const installed = existsSync(join(root, 'node_modules/kubernetes-types'))
  const orSkip = installed ? test : test.skip
  const name = (title: string) =>
    `${title}${installed ? '' : ' (skipped: kubernetes-types is not installed)'}`

  orSkip(name('are what the API of Kubernetes 1.30 takes'), async () => {
    expect(manifests().map(({ kind }) => kind)).toEqual([
      'ConfigMap',
      'Deployment',
      'Service',
      'HorizontalPodAutoscaler',
      'PodDisruptionBudget',
      'NetworkPolicy',
    ])
    expect(await complaints(manifests())).toBe('')
  })

  orSkip(name('are refused with a field that the API has not, and with one of another type'), async () => {
    const changed = (from: string, to: string) =>
      parseAllDocuments(text.replace(from, to)).map((document) => document.toJS() as Manifest)
    expect(await complaints(changed('readOnlyRootFilesystem', 'readOnlyRoot'))).toMatch(/readOnlyRoot/)
    expect(await complaints(changed('replicas: 2', 'replicas: two'))).toMatch(/'string' is not assignable/)
  })

  test('hold a configuration that the gateway takes', () => {
    const { data } = manifests().find(({ kind }) => kind === 'ConfigMap')!
    const parts = Object.values(data!).map((part) => parseAllDocuments(part)[0]!.toJS() as object)
    expect(() => configurationSchema.parse(Object.assign({}, ...parts))).not.toThrow()
  })
})
