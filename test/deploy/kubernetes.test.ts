import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parseAllDocuments } from 'yaml'
import { loadConfiguration } from '../../gateway-runtime/src/config/index.ts'
import { temporaryFolders } from '../support/temporary-folder.ts'

const folder = temporaryFolders()
const text = await readFile(join(import.meta.dirname, '../../deploy/kubernetes/gateway.yaml'), 'utf8')
const documents = parseAllDocuments(text)
// biome-ignore lint/suspicious/noExplicitAny: manifests of many kinds, of which each test looks at its own
const manifests: any[] = documents.map((document) => document.toJS())
const byKind = (kind: string) => manifests.find((manifest) => manifest.kind === kind)
const pod = byKind('Deployment').spec.template
const container = pod.spec.containers[0]

describe('deploy/kubernetes', () => {
  test('is YAML without a mistake, each resource once', () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([])
    expect(new Set(manifests.map(({ kind }) => kind)).size).toBe(manifests.length)
  })

  test('selects the pods it makes', () => {
    const { labels } = pod.metadata
    for (const kind of ['Deployment', 'PodDisruptionBudget']) {
      expect([kind, byKind(kind).spec.selector.matchLabels]).toEqual([kind, labels])
    }
    expect(byKind('Service').spec.selector).toEqual(labels)
    expect(byKind('NetworkPolicy').spec.podSelector.matchLabels).toEqual(labels)
    expect(byKind('HorizontalPodAutoscaler').spec.scaleTargetRef.name).toBe(
      byKind('Deployment').metadata.name,
    )
  })

  test('names only ports that the container has', () => {
    const names = container.ports.map(({ name }: { name: string }) => name)
    const used = [
      ...byKind('Service').spec.ports.map(({ targetPort }: { targetPort: string }) => targetPort),
      ...['startupProbe', 'readinessProbe', 'livenessProbe'].map((probe) => container[probe].httpGet.port),
      ...byKind('NetworkPolicy').spec.ingress.flatMap(({ ports }: { ports: { port: string }[] }) =>
        ports.map(({ port }) => port),
      ),
    ]
    expect(used.filter((name) => !names.includes(name))).toEqual([])
  })

  test('brings a configuration that the gateway takes, on the ports of the container', async () => {
    const directory = await folder()
    for (const [name, content] of Object.entries<string>(byKind('ConfigMap').data)) {
      await writeFile(join(directory, name), content)
    }
    const { configuration } = loadConfiguration(directory)
    const ports = container.ports.map(({ containerPort }: { containerPort: number }) => containerPort)
    expect([configuration.listeners[0]?.port, configuration.status.port]).toEqual(ports)
  })
})
