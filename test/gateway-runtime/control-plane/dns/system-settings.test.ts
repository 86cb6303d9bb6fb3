import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { isKnownToSystem } from '../../../../gateway-runtime/src/control-plane/dns/hosts-file.ts'
import { completions } from '../../../../gateway-runtime/src/control-plane/dns/search-list.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'

const newFolder = temporaryFolders()

async function fileOf(text: string): Promise<string> {
  const file = join(await newFolder(), 'file')
  await writeFile(file, text)
  return file
}

describe('the hosts file', () => {
  test('is where a name is looked for first', async () => {
    const file = await fileOf('127.0.0.1 other # orders\n\n10.0.0.1\tOrders.internal  orders-1 #comment\n')
    const known = async (name: string) => isKnownToSystem(name, file)
    expect(await known('orders.internal')).toBe(true)
    expect(await known('orders.internal.')).toBe(true)
    expect(await known('ORDERS-1')).toBe(true)
    expect(await known('orders')).toBe(false)
    expect(await known('10.0.0.1')).toBe(false)
  })

  test('may be missing; localhost is known all the same', async () => {
    const file = join(await newFolder(), 'missing')
    expect(await isKnownToSystem('orders', file)).toBe(false)
    expect(await isKnownToSystem('LocalHost', file)).toBe(true)
    expect(await isKnownToSystem('a.localhost.', file)).toBe(true)
    expect(await isKnownToSystem('notlocalhost', file)).toBe(false)
  })
})

describe('the search list', () => {
  const cluster =
    'nameserver 10.96.0.10\nsearch shop.svc.cluster.local svc.cluster.local\noptions edns0 ndots:5\n'

  test.each([
    ['orders', cluster, ['orders.shop.svc.cluster.local', 'orders.svc.cluster.local', 'orders']],
    [
      'orders.shop',
      cluster,
      ['orders.shop.shop.svc.cluster.local', 'orders.shop.svc.cluster.local', 'orders.shop'],
    ],
    ['orders.shop.', cluster, ['orders.shop.']],
    ['orders', 'search example.com\n', ['orders.example.com', 'orders']],
    ['orders.internal', 'search example.com\n', ['orders.internal', 'orders.internal.example.com']],
    ['orders', 'search a.test\nsearch .\n', ['orders']],
    ['orders', '', ['orders']],
  ])('completes %s with %j', async (name, text, expected) => {
    expect(await completions(name, await fileOf(text))).toEqual(expected)
  })

  test('may be missing', async () => {
    expect(await completions('orders', join(await newFolder(), 'missing'))).toEqual(['orders'])
  })
})
