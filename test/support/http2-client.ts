import { connect, type Socket } from 'node:net'

export const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
export const type = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
}
export const flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 }

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export function frame(kind: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload
  const header = Buffer.alloc(9)
  header.writeUIntBE(bytes.length, 0, 3)
  header[3] = kind
  header[4] = flags
  header.writeUInt32BE(stream, 5)
  return Buffer.concat([header, bytes])
}

/** A header block in its plainest form: literals without indexing and without Huffman code. */
export function block(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0]), ...[name, value].map(plainString)]),
  )
}

function plainString(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  const { length } = bytes
  if (length < 127) return Buffer.concat([Buffer.from([length]), bytes])
  const rest = length - 127
  const tail = []
  let left = rest
  for (; left >= 128; left >>= 7) tail.push((left & 127) | 128)
  return Buffer.concat([Buffer.from([127, ...tail, left]), bytes])
}

export const get = (path: string): [string, string][] => [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', path],
  [':authority', 'example.com'],
]

/** A number of four bytes, as RST_STREAM and WINDOW_UPDATE carry it. */
export function number(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** An HTTP/2 connection of which a test says every frame itself. */
export interface Http2RawClient {
  readonly socket: Socket
  readonly frames: readonly Frame[]
  send(...frames: Buffer[]): void
  /** Resolves with the first frame that fits, already there or to come; rejects after 5 s or at the end. */
  until(fits: (frame: Frame) => boolean): Promise<Frame>
  /** Resolves when the server has closed. */
  readonly closed: Promise<void>
}

/** Connects to 127.0.0.1 and says hello: preface and empty SETTINGS, unless `silent`. */
export async function openHttp2(port: number, silent = false): Promise<Http2RawClient> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  socket.on('error', () => {})
  const frames: Frame[] = []
  const listeners = new Set<() => void>()
  let rest = Buffer.alloc(0)
  let isClosed = false
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const end = 9 + rest.readUIntBE(0, 3)
      frames.push({
        type: rest[3]!,
        flags: rest[4]!,
        stream: rest.readUInt32BE(5),
        payload: Buffer.from(rest.subarray(9, end)),
      })
      rest = rest.subarray(end)
    }
    for (const look of [...listeners]) look()
  })
  socket.on('close', () => {
    isClosed = true
    for (const look of [...listeners]) look()
  })
  if (!silent) socket.write(Buffer.concat([Buffer.from(preface), frame(type.settings, 0, 0)]))
  return {
    socket,
    frames,
    closed,
    send: (...sent) => void socket.write(Buffer.concat(sent)),
    until: (fits) =>
      new Promise((resolve, reject) => {
        const seen = () => frames.map((one) => `${one.type}/${one.stream}`).join(' ')
        const timer = setTimeout(
          () => settle(() => reject(new Error(`no such frame in 5 s: ${seen()}`))),
          5_000,
        )
        const settle = (end: () => void) => {
          clearTimeout(timer)
          listeners.delete(look)
          end()
        }
        const look = () => {
          const found = frames.find(fits)
          if (found) settle(() => resolve(found))
          else if (isClosed) settle(() => reject(new Error(`closed without such a frame: ${seen()}`)))
        }
        listeners.add(look)
        look()
      }),
  }
}
