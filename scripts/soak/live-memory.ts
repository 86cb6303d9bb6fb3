interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly sessionId: string; readonly message?: string }
  readonly result?: { readonly usedSize?: number; readonly backingStorageSize?: number }
}

type Send = (method: string) => Promise<Message>

/**
 * What is alive in a process of Node.js that was started with --inspect: the heaps of its main thread and workers,
 * with their buffers, once their garbage has been collected. What an engine keeps in store, or has not yet cleared
 * away, says nothing of leaks; this does.
 */
export class LiveMemory {
  readonly #socket: WebSocket
  readonly #main: Send
  readonly #workers = new Map<string, Send>()
  readonly #answers = new Map<string, (answer: Message) => void>()
  #lastId = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    this.#main = this.#sender('', (text) => socket.send(text))
    socket.addEventListener('message', ({ data }) => this.#onMessage(JSON.parse(data)))
  }

  /** `port`: the inspector's, on loopback. */
  static async connect(port: number): Promise<LiveMemory> {
    const response = await fetch(`http://127.0.0.1:${port}/json/list`)
    const [target] = (await response.json()) as { webSocketDebuggerUrl: string }[]
    const socket = new WebSocket(target!.webSocketDebuggerUrl)
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve)
      socket.addEventListener('error', () => reject(new Error('cannot reach the inspector of the gateway')))
    })
    const memory = new LiveMemory(socket)
    void memory.#ask('', 'NodeWorker.enable', (text) => socket.send(text), { waitForDebuggerOnStart: false })
    return memory
  }

  close(): void {
    this.#socket.close()
  }

  /** Bytes. */
  async measure(): Promise<number> {
    let bytes = 0
    for (const send of [this.#main, ...this.#workers.values()]) {
      await send('HeapProfiler.collectGarbage')
      const { usedSize = 0, backingStorageSize = 0 } = (await send('Runtime.getHeapUsage')).result ?? {}
      bytes += usedSize + backingStorageSize
    }
    return bytes
  }

  #sender(session: string, write: (text: string) => void): Send {
    return (method) => this.#ask(session, method, write)
  }

  #ask(session: string, method: string, write: (text: string) => void, params?: object): Promise<Message> {
    const id = ++this.#lastId
    return new Promise((resolve) => {
      this.#answers.set(`${session} ${id}`, resolve)
      write(JSON.stringify({ id, method, params }))
    })
  }

  #onMessage(message: Message, session = ''): void {
    const { id, method, params } = message
    if (id !== undefined) {
      this.#answers.get(`${session} ${id}`)?.(message)
      this.#answers.delete(`${session} ${id}`)
    } else if (method === 'NodeWorker.attachedToWorker') this.#addWorker(params!.sessionId)
    else if (method === 'NodeWorker.detachedFromWorker') this.#workers.delete(params!.sessionId)
    else if (method === 'NodeWorker.receivedMessageFromWorker')
      this.#onMessage(JSON.parse(params!.message!), params!.sessionId)
  }

  #addWorker(sessionId: string): void {
    const write = (message: string) => {
      void this.#ask('', 'NodeWorker.sendMessageToWorker', (text) => this.#socket.send(text), {
        sessionId,
        message,
      })
    }
    this.#workers.set(sessionId, this.#sender(sessionId, write))
  }
}
