import { randomInt } from 'node:crypto'
import { connect } from 'node:net'
import type { DnsProviderSettings } from '../../../config/acme-settings.ts'
import type { ChallengeSolver } from '../acme/challenge-solver.ts'
import type { Clock } from '../clock.ts'
import { type AliasResolver, challengeRecord } from './challenge-record.ts'
import {
  classIn,
  classNone,
  encodeName,
  encodeRecord,
  encodeText,
  typeSoa,
  typeTxt,
  uint16,
} from './dns-message.ts'
import { signMessage, type TsigKey, verifyAnswer } from './tsig.ts'

type Settings = Extract<DnsProviderSettings, { provider: 'rfc2136' }>

const timeout = 10_000
const ttl = 60
const opcodeUpdate = 5 << 11
const codes: Readonly<Record<number, string>> = {
  1: 'FORMERR',
  2: 'SERVFAIL',
  5: 'REFUSED: the key may not change this name',
  9: 'NOTAUTH: it has no such zone, or does not take the key',
  10: 'NOTZONE: the name is outside of the zone',
}

/** dns-01 by dynamic update of a zone (RFC 2136), over TCP, signed with TSIG. */
export class DynamicUpdateSolver implements ChallengeSolver {
  readonly type = 'dns-01'
  readonly #settings: Settings
  readonly #key: TsigKey
  readonly #clock: Clock
  readonly #resolver: AliasResolver

  constructor(settings: Settings, clock: Clock, resolver: AliasResolver) {
    this.#settings = settings
    this.#clock = clock
    this.#resolver = resolver
    const { key_name: name, key_algorithm: algorithm, key_secret: secret } = settings
    this.#key = { name, algorithm, secret: Buffer.from(secret, 'base64') }
  }

  async present(domain: string, _token: string, keyAuthorization: string): Promise<() => Promise<void>> {
    const { name, text } = await challengeRecord(domain, keyAuthorization, this.#resolver)
    const record = { name, type: typeTxt, data: encodeText(text) }
    const remove = { ...record, class: classNone, ttl: 0 } // RFC 2136 section 2.5.4: this one of the set
    await this.#update({ ...record, class: classIn, ttl })
    // Until the other servers of the zone have it: they are told at once (RFC 1996).
    await new Promise<void>((resolve) => void this.#clock.wakeAfter(this.#settings.propagation_wait, resolve))
    return () => this.#update(remove).catch(() => {}) // a record that stays proves nothing to anybody
  }

  async #update(change: Parameters<typeof encodeRecord>[0]): Promise<void> {
    const header = uint16(randomInt(65_536), opcodeUpdate, 1, 0, 1, 0)
    const zone = Buffer.concat([encodeName(this.#settings.zone), uint16(typeSoa, classIn)])
    const message = Buffer.concat([header, zone, encodeRecord(change)])
    const { signed, mac } = signMessage(message, this.#key, Date.now())
    const answer = await exchange(this.#settings.server, signed)
    if (answer.length < 12 || answer.readUInt16BE(0) !== message.readUInt16BE(0))
      throw new Error('the DNS server answered something else')
    const code = answer.readUInt8(3) & 15
    // What it says against the key tells more than the code.
    if (code === 0 || answer.readUInt16BE(10) > 0) verifyAnswer(answer, this.#key, mac, Date.now())
    if (code !== 0)
      throw new Error(`the DNS server did not take the record: ${codes[code] ?? `code ${code}`}`)
  }
}

/** One message there and one back (RFC 1035 section 4.2.2). */
function exchange(server: string, message: Buffer): Promise<Buffer> {
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(server)!
  return new Promise((resolve, reject) => {
    const socket = connect({ host: bracketed ?? plain!, port: Number(port ?? 53) })
    let received = Buffer.alloc(0)
    const fail = (reason: string) => {
      socket.destroy()
      reject(new Error(`the DNS server ${server} ${reason}`))
    }
    socket.setTimeout(timeout, () => fail('does not answer'))
    socket.once('error', ({ message: reason }) => fail(`cannot be reached: ${reason}`))
    socket.once('close', () => fail('closed the connection'))
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes])
      const length = received.length >= 2 ? received.readUInt16BE(0) : Number.POSITIVE_INFINITY
      if (received.length < length + 2) return
      resolve(received.subarray(2, length + 2))
      socket.destroy()
    })
    socket.write(Buffer.concat([uint16(message.length), message]))
  })
}
