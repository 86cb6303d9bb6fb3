/** Frame types (RFC 9113 section 6). */
export const FrameType = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const

export const Flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const

/** Error codes (RFC 9113 section 7). */
export const ErrorCode = {
  noError: 0x0,
  protocolError: 0x1,
  internalError: 0x2,
  flowControlError: 0x3,
  settingsTimeout: 0x4,
  streamClosed: 0x5,
  frameSizeError: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compressionError: 0x9,
  connectError: 0xa,
  enhanceYourCalm: 0xb,
  inadequateSecurity: 0xc,
  http11Required: 0xd,
} as const

export const Setting = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
} as const

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')
export const headerSize = 9
/** What we announce and what every peer takes. */
export const maxFrameSize = 16_384
export const defaultWindow = 65_535
export const largestWindow = 2 ** 31 - 1

/** What costs the peer its connection: it is told `code`; `message` is for the log. */
export class Http2Error extends Error {
  override readonly name = 'Http2Error'
  readonly code: number
  constructor(code: number, reason: string) {
    super(reason)
    this.code = code
  }
}

export const protocolError = (reason: string): Http2Error => new Http2Error(ErrorCode.protocolError, reason)

/** What costs the peer one stream: it is told `code`. */
export class StreamError extends Error {
  override readonly name = 'StreamError'
  readonly code: number
  constructor(code: number, reason: string) {
    super(reason)
    this.code = code
  }
}

/** A frame with room for a payload of `length` bytes behind its header. */
export function newFrame(type: number, flags: number, stream: number, length: number): Buffer {
  const frame = Buffer.allocUnsafe(headerSize + length)
  frame.writeUIntBE(length, 0, 3)
  frame[3] = type
  frame[4] = flags
  frame.writeUInt32BE(stream, 5)
  return frame
}

export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const frame = newFrame(FrameType.settings, 0, 0, settings.length * 6)
  for (const [index, [id, value]] of settings.entries()) {
    frame.writeUInt16BE(id, headerSize + index * 6)
    frame.writeUInt32BE(value, headerSize + index * 6 + 2)
  }
  return frame
}

/** RST_STREAM and WINDOW_UPDATE: a frame of one number. */
export function numberFrame(type: number, stream: number, value: number): Buffer {
  const frame = newFrame(type, 0, stream, 4)
  frame.writeUInt32BE(value, headerSize)
  return frame
}

export function goawayFrame(lastStream: number, code: number): Buffer {
  const frame = newFrame(FrameType.goaway, 0, 0, 8)
  frame.writeUInt32BE(lastStream, headerSize)
  frame.writeUInt32BE(code, headerSize + 4)
  return frame
}
