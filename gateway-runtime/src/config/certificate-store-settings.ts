import { z } from 'zod'

/** 32 bytes. */
const encryptionKey = z
  .string()
  .refine(
    (text) => decodeKey(text)?.length === 32,
    'expected 32 bytes in base64, such as openssl rand -base64 32 gives',
  )

function decodeKey(text: string): Buffer | undefined {
  return /^[A-Za-z0-9+/]{43}=\s*$/.test(text) ? Buffer.from(text.trim(), 'base64') : undefined
}

const kmsKey = z
  .string()
  .regex(
    /^(arn:[\w-]+:kms:[\w-]+:\d{12}:(key|alias)\/)?[\w/-]{1,256}$/,
    'expected the ARN of a key or an alias, such as arn:aws:kms:eu-central-1:123456789012:key/0123abcd-...',
  )

/** Source: KMS API Reference, `GenerateDataKey` and `Decrypt`. */
const kmsSchema = z.strictObject({
  key: kmsKey.describe(
    'A symmetric key: its ARN, which says the region as well, or its id or alias in the region of the node. Nodes need kms:GenerateDataKey and kms:Decrypt.',
  ),
  previous_keys: z
    .array(kmsKey)
    .max(8)
    .default([])
    .describe('Other keys that entries may still be encrypted with. A key that KMS rotates is one key.'),
  endpoint: z.url().optional().describe('Another endpoint of KMS, such as one within the VPC.'),
})
export type KmsSettings = z.output<typeof kmsSchema>

/** Where the certificates are kept that the gateway orders, or that are imported. Read when the gateway starts. */
export const certificateStoreSchema = z
  .strictObject({
    kind: z
      .enum(['file', 'redis', 'postgres', 'secrets-manager'])
      .default('file')
      .describe(
        'On the node alone, or shared by all nodes: in Redis (redis), Postgres (postgres), or AWS Secrets Manager with Redis for the lease.',
      ),
    encryption_key: encryptionKey
      .optional()
      .describe(
        'Encrypts all entries (AES-256-GCM): 32 bytes in base64, best by a reference to a file or variable. Never shown or logged.',
      ),
    previous_encryption_keys: z
      .array(encryptionKey)
      .max(8)
      .default([])
      .describe('Keys that entries may still be encrypted with.'),
    kms: kmsSchema
      .optional()
      .describe(
        'Encrypts all entries with data keys of AWS KMS, which are nowhere but in memory; where encryption_key is set too, that encrypts, and KMS reads what it has encrypted.',
      ),
    region: z.string().min(1).max(64).optional().describe('Of Secrets Manager; that of the node.'),
    endpoint: z.url().optional().describe('Another endpoint of Secrets Manager, such as one within the VPC.'),
    prefix: z
      .string()
      .regex(/^[\w/+=.@-]{1,128}$/, 'expected letters, digits and /_+=.@-')
      .default('gatehouse/certificates')
      .describe('What names of secrets begin with in Secrets Manager.'),
  })
  .refine(
    ({ kind, encryption_key, kms }) => kind === 'file' || encryption_key !== undefined || kms !== undefined,
    {
      path: ['encryption_key'],
      message: 'a store that is not on the node alone needs encryption_key or kms',
    },
  )

export type CertificateStoreSettings = z.output<typeof certificateStoreSchema>

/** The keys that the settings have themselves: the first is `encryption_key`, where it is set. */
export function encryptionKeysOf({
  encryption_key: current,
  previous_encryption_keys: previous,
}: CertificateStoreSettings): readonly Buffer[] {
  return [...(current === undefined ? [] : [current]), ...previous].map((key) =>
    Buffer.from(key.trim(), 'base64'),
  )
}
