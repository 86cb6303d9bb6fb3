import {
  type Collection,
  EditRefused,
  editEntities,
  type FolderContents,
  pluginId,
} from '@gatehouse/gateway-runtime/config'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { addEntity, configurationError, contentsOf, deleteEntity, putEntity } from './configurations.ts'
import { commentsIn, entitiesIn, type Named, type WrittenFolder, written } from './written-folders.ts'

const edited = (text: string, edit: (contents: FolderContents) => FolderContents) =>
  edit(contentsOf(text)).get('config.yaml')
const orders = { name: 'orders', service: 's', paths: ['/orders'] }

describe('a new entity', () => {
  test.each([
    [
      'follows the block style and indentation of its list',
      'routes:\n- name: a\n  service: s\n\nplugins: [] # none\n',
      'routes:\n- name: a\n  service: s\n- name: orders\n  service: s\n  paths: [/orders]\n\nplugins: [] # none\n',
    ],
    [
      'follows the flow style of its list',
      'routes:\n    - {name: a, service: s} # first\n# end\n',
      'routes:\n    - {name: a, service: s} # first\n    - {name: orders, service: s, paths: [/orders]}\n# end\n',
    ],
    [
      'makes an empty list a block',
      '# top\nroutes: [] # none yet\nplugins: []\n',
      '# top\nroutes: # none yet\n  - { name: orders, service: s, paths: [/orders] }\nplugins: []\n',
    ],
    [
      'stands in a list that is all commented out',
      'routes:\n  # - { name: old }\n',
      'routes:\n  - { name: orders, service: s, paths: [/orders] }\n  # - { name: old }\n',
    ],
    [
      'comes behind what is commented out of the last one',
      'routes:\n  - name: a\n    service: s\n    # strip_path: false\n  # more to come\n',
      'routes:\n  - name: a\n    service: s\n    # strip_path: false\n  - name: orders\n    service: s\n    paths: [/orders]\n  # more to come\n',
    ],
    [
      'begins a list at the end of the file',
      'admin: { port: 1 } # a',
      'admin: { port: 1 } # a\n\nroutes:\n  - { name: orders, service: s, paths: [/orders] }\n',
    ],
    ['begins a file', '', 'routes:\n  - { name: orders, service: s, paths: [/orders] }\n'],
    [
      'keeps the line ends of the file',
      'routes:\r\n  - name: a\r\n',
      'routes:\r\n  - name: a\r\n  - name: orders\r\n    service: s\r\n    paths: [/orders]\r\n',
    ],
    [
      'stays within the brackets of its list',
      'routes: [\n  { name: a }, # first\n  { name: b } # second\n]\n',
      'routes: [\n  { name: a }, # first\n  { name: b }, # second\n  { name: orders, service: s, paths: [/orders] }\n]\n',
    ],
    ['may be JSON', '{"routes": []}\n', '{"routes": [{name: orders, service: s, paths: [/orders]}]}\n'],
  ])('%s', (_, before, after) => {
    expect(edited(before, (contents) => addEntity(contents, 'routes', orders))).toBe(after)
  })

  test('has only the keys that are given, quoted where they must be', () => {
    const entity = { name: 'a', service: undefined, paths: ['~/v1/\\d+', '/a, b', '1.3', 'true', '# x'] }
    expect(edited('routes: []', (contents) => addEntity(contents, 'routes', entity))).toBe(
      "routes:\n  - { name: a, paths: ['~/v1/\\d+', '/a, b', '1.3', 'true', '# x'] }\n".replace(
        "'~/v1/\\d+'",
        '~/v1/\\d+',
      ),
    )
  })

  test('that is large is written over several lines', () => {
    const targets = ['a', 'b', 'c'].map((host) => ({ target: `${host}.internal:8080`, weight: 100 }))
    expect(
      edited('', (contents) => addEntity(contents, 'upstreams', { name: 'u', targets })),
    ).toBe(`upstreams:
  - name: u
    targets:
      - { target: a.internal:8080, weight: 100 }
      - { target: b.internal:8080, weight: 100 }
      - { target: c.internal:8080, weight: 100 }
`)
  })

  test.each([
    [
      'routes',
      { 'config.yaml': 'routes: [{name: a}]', 'more.yaml': 'routes: [{name: b}, {name: c}]' },
      'more.yaml',
    ],
    ['routes', { 'config.yaml': '', 'services.yaml': '', 'more.yaml': 'routes: []' }, 'more.yaml'],
    ['routes', { 'config.yaml': '', 'services.yaml': '' }, 'config.yaml'],
    ['services', { 'config.yaml': '', 'services.yaml': '' }, 'services.yaml'],
    ['upstreams', { 'config.yaml': '', 'services.yml': '' }, 'services.yml'],
    ['services', { 'a.yaml': '' }, 'config.yaml'],
  ] as const)('of %s, where there is %j, goes to %s', (collection, files, expected) => {
    const before = contentsOf(files as Record<string, string>)
    const after = addEntity(before, collection, { name: 'new' })
    const changed = [...after.keys()].filter((file) => after.get(file) !== before.get(file))
    expect(changed).toEqual([expected])
  })
})

describe('an entity that is replaced', () => {
  test('changes only where it differs', () => {
    const before = `routes:
  # the first
  - name: orders  # keep
    service: "a" # the service
    paths: ['/a',   '/orders'] # paths
    tags:
      - x # one
      - y
    hosts: [a]
  - {name: b}
`
    const entity = {
      name: 'orders',
      service: 's',
      paths: ['/orders'],
      tags: ['x', 'y', 'z'],
      methods: ['GET'],
    }
    expect(edited(before, (contents) => putEntity(contents, 'routes', 'orders', entity))).toBe(`routes:
  # the first
  - name: orders  # keep
    service: "s" # the service
    paths: ['/orders'] # paths
    tags:
      - x # one
      - y
      - z
    methods: [GET]
  - {name: b}
`)
  })

  test('is added where it was not there', () => {
    expect(edited('routes:\n', (contents) => putEntity(contents, 'routes', 'orders', orders))).toContain(
      '/orders',
    )
  })

  test('may lose the key behind its dash, and keeps the comment of the next', () => {
    const before = 'routes:\n  - tags: [x]\n    # its name\n    name: orders\n'
    const after = edited(before, (contents) => putEntity(contents, 'routes', 'orders', { name: 'orders' }))
    expect(entitiesIn(contentsOf(after ?? ''), 'routes')).toEqual([{ name: 'orders' }])
    expect(after).toContain('    # its name\n    name: orders\n')
  })
})

describe('an entity that is deleted', () => {
  test.each([
    [
      'routes:\n  # above\n  - name: orders # its own\n    service: s\n  # below\n',
      'routes: []\n  # above\n  # below\n',
    ],
    ['routes:\n  - name: orders\n  - name: b\n', 'routes:\n  - name: b\n'],
    ['routes: [{ name: a }, { name: orders }, { name: b }]', 'routes: [{ name: a }, { name: b }]'],
    ['routes: [{ name: orders }]\n', 'routes: []\n'],
    [
      'routes: [\n  { name: a }, # a\n  { name: orders }, # o\n]\n',
      'routes: [\n  { name: a }, # a\n   # o\n]\n',
    ],
  ])('leaves what is around it: %j', (before, after) => {
    expect(edited(before, (contents) => deleteEntity(contents, 'routes', 'orders'))).toBe(after)
  })

  test('that is not there changes nothing', () => {
    const contents = contentsOf('routes: []')
    expect(deleteEntity(contents, 'routes', 'orders')).toBe(contents)
  })

  test('stays where others refer to what it holds', () => {
    const text = 'routes:\n  - { name: orders, paths: &p [/a] }\n  - { name: b, paths: *p }\n'
    expect(() => deleteEntity(contentsOf(text), 'routes', 'orders')).toThrow(EditRefused)
  })
})

test('several edits at once are one text', () => {
  const text = `# top
services: # all
  - { name: a, url: http://a } # first
  - { name: b, url: http://b }
routes:
  - { name: r, service: b }
`
  const after = editEntities(contentsOf(text), [
    { collection: 'services', id: 'a', entity: undefined },
    { collection: 'services', id: 'b', entity: { name: 'c', url: 'http://b' } },
    { collection: 'services', id: 'd', entity: { name: 'd', url: 'http://d' } },
    { collection: 'routes', id: 'r', entity: { name: 'r', service: 'c' } },
  ])
  expect(after.get('config.yaml')).toBe(`# top
services: # all
  - { name: c, url: http://b }
  - { name: d, url: http://d }
routes:
  - { name: r, service: c }
`)
})

test('a file that is no YAML is not edited', () => {
  expect(
    configurationError(() => addEntity(contentsOf('routes: ['), 'routes', orders)).problems,
  ).toHaveLength(1)
})

test('a plugin is called by its scope', () => {
  expect(pluginId({ name: 'p' })).toBe('global/p')
  expect(pluginId({ name: 'p', service: 's' })).toBe('service:s/p')
  expect(pluginId({ name: 'p', route: 'r' })).toBe('route:r/p')
})

/* Whatever people wrote and in whatever style, and whatever is changed in whatever order. */

const text = fc.oneof(
  fc.stringMatching(/^[a-z/~:#,'" {}[\]\\&*!|>%@`-]{0,12}$/),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.constantFrom('', '1.3', 'true', 'null', '~', '- a', 'a: b', 'a\nb', ' x ', '0x1'),
)
const scalar = fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null))
const settings = fc.dictionary(
  fc.constantFrom('paths', 'tags', 'a', 'b c', 'url', 'config'),
  fc.oneof(
    scalar,
    fc.array(scalar, { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('x', 'y', 'z z'), scalar, { noNullPrototype: true }),
    fc.array(fc.record({ target: text, weight: fc.nat() }), { maxLength: 4 }),
  ),
  { noNullPrototype: true },
)
const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const entity = fc.tuple(name, settings).map(([name, settings]) => ({ name, ...settings }))
const collection = fc.constantFrom<Collection>('routes', 'services', 'upstreams')
interface Change {
  readonly kind: 'add' | 'put' | 'delete'
  readonly collection: Collection
  readonly entity: Named
}
const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('add', 'put', 'delete'),
  collection,
  entity,
})

/** What a folder should say, and which entities are no longer as they were written. */
class Model {
  readonly entities: Record<string, Named[]>
  readonly touched = new Set<string>()

  constructor(entities: WrittenFolder['entities']) {
    this.entities = structuredClone(entities) as Record<string, Named[]>
  }

  /** Makes a change here and in the text, and returns the text. */
  apply(contents: FolderContents, { kind, collection, entity }: Change): FolderContents {
    const list = this.entities[collection] ?? []
    this.entities[collection] = list
    const index = list.findIndex(({ name }) => name === entity.name)
    if (kind === 'delete' && index < 0) {
      expect(deleteEntity(contents, collection, entity.name)).toBe(contents)
      return contents
    }
    this.touched.add(`${collection}/${entity.name}`)
    if (kind === 'delete') {
      list.splice(index, 1)
      return deleteEntity(contents, collection, entity.name)
    }
    list.splice(index < 0 ? list.length : index, 1, entity)
    return kind === 'add'
      ? addEntity(contents, collection, entity)
      : putEntity(contents, collection, entity.name, entity)
  }
}

const byName = (a: Named, b: Named) => (a.name < b.name ? -1 : 1)

test('any sequence of edits says what was asked for, and leaves all else as it was', () => {
  fc.assert(
    fc.property(written(entity), fc.array(change, { minLength: 1, maxLength: 8 }), (folder, changes) => {
      const model = new Model(folder.entities)
      const contents = changes.reduce((contents, change) => model.apply(contents, change), folder.contents)

      for (const [collection, list] of Object.entries(model.entities)) {
        expect(entitiesIn(contents, collection).sort(byName)).toEqual(list.sort(byName))
      }
      expect(commentsIn(contents)).toEqual(expect.arrayContaining([...folder.comments]))
      const all = [...contents.values()].join('\n')
      const untouched = folder.texts.filter(
        ({ collection, name }) => !model.touched.has(`${collection}/${name}`),
      )
      for (const { text } of untouched) expect(all).toContain(text)
    }),
    { numRuns: 150 },
  )
})

test('what is added and deleted again leaves every other entity and all comments', () => {
  fc.assert(
    fc.property(
      written(entity),
      collection,
      settings,
      ({ contents, comments, entities }, collection, settings) => {
        const added = addEntity(contents, collection, { name: 'new', ...settings })
        const after = deleteEntity(added, collection, 'new')
        for (const [collection, list] of Object.entries(entities)) {
          expect(entitiesIn(after, collection)).toEqual(entitiesIn(contents, collection))
          expect(entitiesIn(after, collection)).toHaveLength(list.length)
        }
        expect(commentsIn(after)).toEqual(commentsIn(contents))
        expect(commentsIn(after)).toEqual(expect.arrayContaining([...comments]))
      },
    ),
    { numRuns: 100 },
  )
})
