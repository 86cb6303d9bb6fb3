import { join } from 'node:path'
import type { S3Client } from '@aws-sdk/client-s3'
import { type FolderContents, readFolder, writeFolder } from '../../config/index.ts'
import type { S3Settings } from '../../config/s3-settings.ts'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import { FolderWatcher } from '../folder-watcher.ts'
import { DocumentCopy, emptyDocument } from './document-copy.ts'
import type { ConfigurationSource } from './source.ts'
import { StoreConflict, StoreUnreachable } from './store-errors.ts'

/** The name that the object has among the texts of the folder. */
const documentName = 's3.yaml'
const largest = 268_435_456

interface Document {
  /** ETag; '': there is no object yet. */
  readonly revision: string
  readonly text: string
}

/**
 * Entities in one object of an object store, as YAML; settings of the node in its folder. Nodes ask for it by its ETag,
 * which costs little while nothing has changed, and keep the last one that was in force in their state folder. Written
 * on the condition that it is still the one that was read (If-Match), so that no change of another node is lost.
 */
export class S3Source implements ConfigurationSource {
  readonly name = 's3'
  readonly holdsKeys = true
  readonly #folder: string
  readonly #place: { readonly Bucket: string; readonly Key: string }
  readonly #settings: S3Settings
  readonly #copy: DocumentCopy<Document>
  #client: S3Client | undefined
  #document: Document | undefined

  /** `url`: s3://bucket/key */
  constructor(folder: string, stateDirectory: string, url: string, settings: S3Settings, errorLog: ErrorLog) {
    const [, Bucket, Key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(url)!
    this.#folder = folder
    this.#place = { Bucket: Bucket!, Key: Key! }
    this.#settings = settings
    this.#copy = new DocumentCopy(join(stateDirectory, 's3-copy.json'), 'the object store', errorLog)
  }

  get isReachable(): boolean {
    return this.#copy.isReachable
  }

  /** @throws OperationalError where it cannot be reached and never was */
  async read(): Promise<FolderContents> {
    try {
      this.#document = await this.#get()
      this.#copy.found()
    } catch (error) {
      this.#copy.lost(error as Error)
      this.#document ??= this.#copy.read(error as Error)
    }
    return new Map([...readFolder(this.#folder), [documentName, this.#document.text]])
  }

  async write(before: FolderContents, after: FolderContents): Promise<void> {
    const text = after.get(documentName) ?? emptyDocument
    if (text !== before.get(documentName)) await this.#put(text)
    writeFolder(this.#folder, without(before), without(after))
  }

  watch(onChange: () => void): () => void {
    const watcher = new FolderWatcher(this.#folder, onChange, (name) => /\.ya?ml$/.test(name))
    const timer = setInterval(onChange, this.#settings.poll_interval).unref()
    return () => {
      watcher.close()
      clearInterval(timer)
    }
  }

  accepted(): void {
    if (this.#document) this.#copy.write(this.#document)
  }

  async close(): Promise<void> {
    this.#client?.destroy()
  }

  /** Loaded only where it is used: it is large. */
  async #open() {
    const { GetObjectCommand, PutObjectCommand, S3Client } = await import('./s3-client.ts')
    const { region, endpoint, access_key_id, secret_access_key, timeout } = this.#settings
    this.#client ??= new S3Client({
      region,
      maxAttempts: 2,
      requestHandler: { requestTimeout: timeout, connectionTimeout: timeout },
      // Not all object stores know the checksums that AWS has by now.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
      ...(access_key_id !== undefined && {
        credentials: { accessKeyId: access_key_id, secretAccessKey: secret_access_key! },
      }),
    })
    return { client: this.#client, GetObjectCommand, PutObjectCommand }
  }

  async #get(): Promise<Document> {
    const { client, GetObjectCommand } = await this.#open()
    const known = this.#document
    try {
      const condition = known && known.revision !== '' ? { IfNoneMatch: known.revision } : {}
      const answer = await client.send(new GetObjectCommand({ ...this.#place, ...condition }))
      if ((answer.ContentLength ?? 0) > largest) throw new Error(`the object has more than ${largest} bytes`)
      return { revision: answer.ETag ?? '', text: (await answer.Body?.transformToString()) ?? '' }
    } catch (error) {
      if (known && statusOf(error) === 304) return known
      if (statusOf(error) === 404 && (error as Error).name === 'NoSuchKey') return this.#absent(known)
      throw error
    }
  }

  /** Before the first change there is no object; one that was there is not taken for empty when it is gone. */
  #absent(known: Document | undefined): Document {
    if (known && known.revision !== '') throw new Error('the object was deleted')
    return { revision: '', text: emptyDocument }
  }

  async #put(text: string): Promise<void> {
    const { client, PutObjectCommand } = await this.#open()
    const { revision } = this.#document!
    const condition = revision === '' ? { IfNoneMatch: '*' } : { IfMatch: revision }
    const object = { ...this.#place, ...condition, Body: text, ContentType: 'application/yaml' }
    try {
      const { ETag = '' } = await client.send(new PutObjectCommand(object))
      this.#document = { revision: ETag, text }
    } catch (error) {
      if ([409, 412].includes(statusOf(error) ?? 0)) throw new StoreConflict()
      this.#copy.lost(error as Error)
      const reason = (error as Error).message
      throw new StoreUnreachable(`the object store cannot be written, so nothing was changed: ${reason}`)
    }
  }
}

const statusOf = (error: unknown) =>
  (error as { readonly $metadata?: { readonly httpStatusCode?: number } }).$metadata?.httpStatusCode

const without = (contents: FolderContents): FolderContents =>
  new Map([...contents].filter(([name]) => name !== documentName))
