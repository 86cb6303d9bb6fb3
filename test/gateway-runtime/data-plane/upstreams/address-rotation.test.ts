import { once } from 'node:events'
import { connect, createServer, Socket } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import { AddressRotation } from '../../../../gateway-runtime/src/data-plane/upstreams/address-rotation.ts'
import { startBlackHole } from '../../../support/black-hole.ts'
import { freePort, listenOnFreePort } from '../../../support/ports.ts'

const ended: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

let now = 0
function rotationOver(...addresses: string[]): AddressRotation {
  const rotation = new AddressRotation(() => now)
  rotation.replace(addresses)
  return rotation
}

/** Connects as a pool does; resolves with the address that was reached, or the code of the error. */
async function reach(rotation: AddressRotation, port: number): Promise<string | undefined> {
  const socket: Socket = rotation.connect((resolution) =>
    connect({ host: 'orders.test', port, ...resolution }),
  )
  ended.push(() => socket.destroy())
  return once(socket, 'connect').then(
    () => socket.remoteAddress,
    (error: NodeJS.ErrnoException) => error.code,
  )
}

describe('addresses', () => {
  test('are begun with in turn, IPv6 before IPv4, and all of them are tried', () => {
    const rotation = rotationOver('fd00::1', 'fd00::2', '10.0.0.1', '10.0.0.2', '10.0.0.3')
    const orders = Array.from({ length: 6 }, () => rotation.next())
    for (const order of orders) {
      expect(order.slice(0, 2).toSorted()).toEqual(['fd00::1', 'fd00::2'])
      expect(order.slice(2).toSorted()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3'])
    }
    expect(new Set(orders.map(([first]) => first)).size).toBe(2)
    expect(new Set(orders.map((order) => order[2])).size).toBe(3)
    expect(rotation.size).toBe(2)
  })

  test('that there are none of are an error that says the name', async () => {
    expect(await reach(rotationOver(), 1)).toBe('ENOTFOUND')
  })

  test('are the same where the same are given again', () => {
    const rotation = rotationOver('10.0.0.1')
    expect(rotation.replace(['10.0.0.1'])).toBe(false)
    expect(rotation.replace(['10.0.0.1', '10.0.0.2'])).toBe(true)
    expect(rotation.next().toSorted()).toEqual(['10.0.0.1', '10.0.0.2'])
  })
})

test.each([
  [3, 250],
  [400, 800],
  [5_000, 2_000],
])('a target that takes %d ms to connect to is given %d ms for an address', async (took, given) => {
  const server = createServer()
  const port = await listenOnFreePort(server)
  ended.push(() => server.close())
  const rotation = rotationOver('127.0.0.1')
  const connected = reach(rotation, port)
  now += took
  await connected
  const socket = rotation.connect(({ autoSelectFamilyAttemptTimeout }) => {
    expect(autoSelectFamilyAttemptTimeout).toBe(given)
    return new Socket()
  })
  socket.destroy()
})

describe('an address that', () => {
  test('refuses is tried last, for 30 seconds', async () => {
    const server = createServer()
    const port = await listenOnFreePort(server)
    ended.push(() => server.close())
    const rotation = rotationOver('::1', '127.0.0.1')
    expect(await reach(rotation, port)).toBe('127.0.0.1')
    expect(rotation.next()).toEqual(['127.0.0.1', '::1'])
    expect(rotation.size).toBe(1)
    now += 29_999
    expect(rotation.next()).toEqual(['127.0.0.1', '::1'])
    now += 1
    expect(rotation.next()).toEqual(['::1', '127.0.0.1'])
  })

  test('does not answer is tried last', async () => {
    const server = createServer()
    const port = await listenOnFreePort(server)
    const hole = await startBlackHole('::1', port)
    ended.push(
      () => server.close(),
      () => hole.stop(),
    )
    const rotation = rotationOver('::1', '127.0.0.1')
    expect(await reach(rotation, port)).toBe('127.0.0.1')
    expect(rotation.next()).toEqual(['127.0.0.1', '::1'])
  })

  test('has failed is in its turn again where all have', async () => {
    const rotation = rotationOver('::1', '127.0.0.1')
    expect(await reach(rotation, await freePort())).toBe('ECONNREFUSED')
    expect(rotation.next()).toEqual(['::1', '127.0.0.1'])
  })

  test('has gone and come back is as a new one', async () => {
    const server = createServer()
    const port = await listenOnFreePort(server)
    ended.push(() => server.close())
    const rotation = rotationOver('::1', '127.0.0.1')
    await reach(rotation, port)
    rotation.replace(['127.0.0.1'])
    rotation.replace(['::1', '127.0.0.1'])
    expect(rotation.next()).toEqual(['::1', '127.0.0.1'])
  })
})
