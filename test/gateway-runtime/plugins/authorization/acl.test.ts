import { afterEach, describe, expect, test } from '@jest/globals'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { startUpstream } from '../../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const consumer = (name: string, groups: string[]) => ({
  name,
  groups,
  credentials: { 'key-auth': [{ key: `the-key-of-${name}` }] },
})

async function start(...plugins: object[]): Promise<TestGateway> {
  const upstream = await startUpstream()
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      services: [{ name: 'echo', url: upstream.url }],
      routes: [
        { name: 'allow', service: 'echo', paths: ['/allow'] },
        { name: 'deny', service: 'echo', paths: ['/deny'] },
        { name: 'both', service: 'echo', paths: ['/both'] },
      ],
      consumers: [
        consumer('ada', ['gold', 'beta']),
        consumer('bob', ['gold', 'banned']),
        consumer('eve', []),
      ],
      plugins: [{ name: 'key-auth', config: { anonymous: true } }, ...plugins],
    },
  })
  ended.push(() => gateway.stop())
  return gateway
}

describe('acl', () => {
  test('lets consumers in by their groups; those denied stay out whatever else they are', async () => {
    const gateway = await start(
      { name: 'acl', route: 'allow', config: { allow: ['gold', 'silver'] } },
      { name: 'acl', route: 'deny', config: { deny: ['banned'] } },
      { name: 'acl', route: 'both', config: { allow: ['gold'], deny: ['banned'] } },
    )
    const statuses = async (path: string) =>
      Promise.all(
        ['ada', 'bob', 'eve', undefined].map(async (name) => {
          const headers = name === undefined ? {} : { apikey: `the-key-of-${name}` }
          return (await fetch(gateway.url + path, { headers })).status
        }),
      )
    expect(await statuses('/allow')).toEqual([200, 200, 403, 403])
    expect(await statuses('/deny')).toEqual([200, 403, 200, 403])
    expect(await statuses('/both')).toEqual([200, 403, 403, 403])
    const log = await eventually('the last line', async () => {
      const text = await gateway.errorLog()
      return text.split('consumer refused').length > 7 && text
    })
    expect(log).toMatch(/consumer refused .*consumer=bob rule="deny banned" route=deny request_id=/)
    expect(log).toMatch(/consumer refused .*consumer=none rule=allow route=allow/)
  })

  test('needs groups to go by', async () => {
    await expect(start({ name: 'acl' })).rejects.toThrow('acl needs allow, deny, or both')
    await expect(start({ name: 'acl', config: { alow: ['a'] } })).rejects.toThrow('did you mean "allow"')
  })
})
