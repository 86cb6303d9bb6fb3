import { createServer, type Socket } from 'node:net'
import { listenOnFreePort } from './ports.ts'
import { readRequests, type StrictRequest } from './strict-http.ts'

/** What an upstream was sent since it was last asked. */
export interface Recording {
  /** Complete requests, in the order in which they were. */
  readonly requests: readonly StrictRequest[]
  /** Bytes of connections that are no complete request, or not yet. */
  readonly unfinished: readonly string[]
  /** Why bytes are no request, for those that never will be. */
  readonly violations: readonly string[]
}

export interface RecordingUpstream {
  readonly port: number
  /** Returns what was recorded and begins anew. */
  take(): Recording
  stop(): Promise<void>
}

interface Answer {
  readonly bytes: string
  /** Whether the connection is closed behind it. */
  readonly close?: boolean
}

/** An upstream that keeps every byte, reads them by the strict grammar, and answers each complete request. */
export async function startRecordingUpstream(
  answer: (request: StrictRequest) => Answer,
): Promise<RecordingUpstream> {
  const unread = new Map<Socket, string>()
  let requests: StrictRequest[] = []
  let violations: string[] = []
  const given = new Set<string>()
  const server = createServer({ noDelay: true }, (socket) => {
    unread.set(socket, '')
    socket.on('error', () => {})
    socket.on('close', () => {
      const rest = unread.get(socket)
      if (rest) given.add(rest)
      unread.delete(socket)
    })
    socket.on('data', (chunk) => {
      const text = unread.get(socket) + chunk.toString('latin1')
      const { messages, rest, at, reason } = readRequests(text)
      unread.set(socket, text.substring(at))
      if (rest === 'malformed') violations.push(`${reason}: ${JSON.stringify(text.substring(at))}`)
      for (const request of messages) {
        requests.push(request)
        const { bytes, close = false } = answer(request)
        socket.write(bytes, 'latin1')
        if (close) socket.end()
      }
    })
  })
  const port = await listenOnFreePort(server)
  return {
    port,
    take() {
      const unfinished = [...given, ...unread.values()].filter((text) => text !== '')
      const recording = { requests, unfinished, violations }
      requests = []
      violations = []
      given.clear()
      return recording
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of unread.keys()) socket.destroy()
      }),
  }
}
