import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { CheckFailure } from '../../../../gateway-runtime/src/control-plane/health-checks/check.ts'
import {
  decodeHealthResponse,
  encodeHealthRequest,
} from '../../../../gateway-runtime/src/control-plane/health-checks/grpc-health-messages.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('a request', () => {
  test('for the server as a whole has an empty message', () => {
    expect(encodeHealthRequest('')).toEqual(hex('00 00000000'))
  })

  test('names its service in field 1', () => {
    expect(encodeHealthRequest('abc')).toEqual(hex('00 00000005 0a 03 616263'))
    const long = encodeHealthRequest('x'.repeat(200))
    expect(long.subarray(0, 8)).toEqual(hex('00 000000cb 0a c801'))
    expect(long).toHaveLength(5 + 3 + 200)
  })
})

describe('an answer', () => {
  test.each([
    ['00 00000002 08 01', 'SERVING'],
    ['00 00000002 08 02', 'NOT_SERVING'],
    ['00 00000002 08 03', 'SERVICE_UNKNOWN'],
    ['00 00000000', 'UNKNOWN'],
    ['00 00000002 08 63', 'UNKNOWN'],
    ['00 0000000e 12 03 616263 19 0102030405060708', 'UNKNOWN'],
    ['00 0000000b 10 ffff03 08 01 1d 00000000', 'SERVING'],
  ])('%s is %s', (bytes, status) => {
    expect(decodeHealthResponse(hex(bytes))).toBe(status)
  })

  test.each([
    ['', 'not one uncompressed gRPC message'],
    ['01 00000002 08 01', 'not one uncompressed gRPC message'],
    ['00 00000003 08 01', 'not one uncompressed gRPC message'],
    ['00 00000001 08', 'not a HealthCheckResponse'],
    ['00 00000003 12 05 61', 'not a HealthCheckResponse'],
    ['00 00000001 0b', 'not a HealthCheckResponse'],
  ])('%s is refused: %s', (bytes, reason) => {
    expect(() => decodeHealthResponse(hex(bytes))).toThrow(reason)
  })

  test('of any bytes is read or refused, never more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const prefix = Buffer.alloc(5)
        prefix.writeUInt32BE(bytes.length, 1)
        try {
          expect(typeof decodeHealthResponse(Buffer.concat([prefix, bytes]))).toBe('string')
        } catch (error) {
          expect(error).toBeInstanceOf(CheckFailure)
        }
      }),
    )
  })
})
