import { createHash } from 'node:crypto'
import { S3Object } from '@cdktf/provider-aws/lib/s3-object/index.js'
import { Fn } from 'cdktf'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import { literal } from '../terraform.ts'
import { EncryptionKey, type Key } from './encryption-key.ts'
import type { Statement } from './policy.ts'
import { PrivateBucket } from './private-bucket.ts'

/** Where nodes find the configuration that they follow. */
export interface ConfigSource {
  /** Name of the bucket. */
  readonly bucket: string
  /** Key of the object that names the current files and their hashes. */
  readonly manifestKey: string
  /** What a node must be allowed to do. */
  readonly statements: readonly Statement[]
}

export interface ConfigBucketProps {
  /** Begins the name of the bucket; 1 to 40 lower-case letters, digits and single "-", a letter first. */
  readonly name: string
  /** Configuration files by name (`config.yaml`, `services.yaml`), as people wrote them. */
  readonly files: Readonly<Record<string, string>>
  /**
   * More of them, in which Terraform puts what is known only when it deploys: a dollar sign and a brace begin an expression.
   * @default none
   */
  readonly templates?: Readonly<Record<string, string>>
  /**
   * Encrypts the files.
   * @default a new `EncryptionKey`
   */
  readonly key?: Key
}

/**
 * Holds the configuration that nodes follow: each file under the hash of its content and its name, and a manifest that names the
 * current ones. A changed route changes a file and the manifest; no instance is replaced. Nodes take over all files of
 * a manifest or none, and only after they compiled them. Secrets stand in none of them, but in references.
 *
 * @example
 * const source = new ConfigBucket(stack, 'configuration', {
 *   name: 'edge',
 *   files: { 'config.yaml': 'workers: auto' },
 * })
 * new NodeRole(stack, 'role', { name: 'edge', statements: source.statements })
 * @throws ConstructError when config.yaml is missing
 */
export class ConfigBucket extends Construct implements ConfigSource {
  readonly bucket: string
  readonly manifestKey = 'current'
  readonly statements: readonly Statement[]

  constructor(scope: Construct, id: string, props: ConfigBucketProps) {
    super(scope, id)
    const { name, files, templates = {} } = props
    checkProps(this, [
      ['config.yaml' in files, 'files: config.yaml is missing'],
      ...Object.keys({ ...files, ...templates }).map(
        (file) =>
          [
            /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\.ya?ml$/.test(file),
            `files: expected names such as config.yaml, got ${JSON.stringify(file)}`,
          ] as const,
      ),
    ])
    const key = props.key ?? new EncryptionKey(this, 'key', { name, purpose: 'configuration' })
    const bucket = new PrivateBucket(this, 'bucket', { name, purpose: 'configuration', key })
    const put = (id: string, objectKey: string, content: string, dependsOn: S3Object[] = []) =>
      new S3Object(this, id, {
        bucket: bucket.name,
        key: objectKey,
        content,
        contentType: 'text/plain; charset=utf-8',
        kmsKeyId: key.arn,
        serverSideEncryption: 'aws:kms',
        tags: { Name: id },
        // A manifest of before may still name an object for as long as the new one is not there.
        lifecycle: { createBeforeDestroy: true },
        dependsOn: [bucket.policy, ...dependsOn],
      })
    const entries = [
      ...Object.entries(files).map(([file, text]) => ({ file, content: literal(text), hash: sha256(text) })),
      ...Object.entries(templates).map(([file, text]) => ({ file, content: text, hash: Fn.sha256(text) })),
    ].sort((a, b) => (a.file < b.file ? -1 : 1))
    const objects = entries.map(({ file, content, hash }) =>
      put(`file-${file}`, `files/${hash}-${file}`, content),
    )
    // As sha256sum reads it: a line a file.
    put('manifest', this.manifestKey, entries.map(({ file, hash }) => `${hash}  ${file}\n`).join(''), objects)
    this.bucket = bucket.name
    this.statements = [
      {
        sid: 'ReadConfiguration',
        actions: ['s3:GetObject'],
        resources: [`${bucket.arn}/${this.manifestKey}`, `${bucket.arn}/files/*`],
        wildcardReason: 'a file is called by its hash and name, which the manifest says when they change',
      },
      { sid: 'DecryptConfiguration', actions: ['kms:Decrypt'], resources: [key.arn] },
    ]
  }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
