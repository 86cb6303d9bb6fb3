import type { Credential, PluginRequest } from '../../contract.ts'
import { type SignatureCredential, type VerifyingKey, verifyingKey } from './signature-credentials.ts'
import { type BareItem, type InnerList, isInnerList, parseDictionary } from './structured-fields.ts'

const longestFields = 16_384
const mostSignatures = 8

/** A signature of a request that names a known key. Nothing of it is verified yet. */
export interface ReceivedSignature {
  readonly input: InnerList
  readonly signature: Buffer
  readonly credential: Credential<SignatureCredential>
  readonly verifyingKey: VerifyingKey
  readonly keyId: string
  readonly created: number | undefined
  readonly expires: number | undefined
  readonly nonce: string | undefined
  readonly algorithm: string | undefined
}

export interface SignatureChoice {
  readonly credentials: ReadonlyMap<string, Credential>
  /** Only signatures with this one are looked at. */
  readonly tag: string | undefined
}

/** Whether a request has fields of signatures at all. */
export const hasSignature = (request: PluginRequest): boolean =>
  request.header('signature-input') !== undefined || request.header('signature') !== undefined

/** The first signature of a request that names a known key; a text says why there is none. */
export function receivedSignature(
  request: PluginRequest,
  choice: SignatureChoice,
): ReceivedSignature | string {
  const inputText = fieldOf(request, 'signature-input')
  const signatureText = fieldOf(request, 'signature')
  if (inputText.length + signatureText.length > longestFields) return 'its fields are too long'
  const inputs = parseDictionary(inputText)
  const signatures = parseDictionary(signatureText)
  if (!inputs || !signatures) return 'its fields are malformed'
  for (const [label, input] of [...inputs].slice(0, mostSignatures)) {
    const signature = signatures.get(label)
    if (!isInnerList(input) || !signature || isInnerList(signature)) continue
    const { bare } = signature
    const found = bare.type === 'bytes' ? read(input, bare.value, choice) : undefined
    if (found) return found
  }
  return 'no signature names a key that is known'
}

function read(input: InnerList, signature: Buffer, choice: SignatureChoice): ReceivedSignature | undefined {
  const { parameters } = input
  const keyId = textOf(parameters.get('keyid'))
  if (choice.tag !== undefined && textOf(parameters.get('tag')) !== choice.tag) return undefined
  const credential = keyId === undefined ? undefined : choice.credentials.get(keyId)
  if (keyId === undefined || !credential) return undefined
  const known = credential as Credential<SignatureCredential>
  return {
    input,
    signature,
    keyId,
    credential: known,
    verifyingKey: verifyingKey(known.value),
    created: timeOf(parameters.get('created')),
    expires: timeOf(parameters.get('expires')),
    nonce: textOf(parameters.get('nonce')),
    algorithm: textOf(parameters.get('alg')),
  }
}

const textOf = (item: BareItem | undefined): string | undefined =>
  item?.type === 'string' ? item.value : undefined

/** What is no time at all is one that no clock has. */
const timeOf = (item: BareItem | undefined): number | undefined =>
  item === undefined ? undefined : item.type === 'integer' ? item.value : Number.NaN

function fieldOf(request: PluginRequest, wanted: string): string {
  const values: string[] = []
  for (const [name, value] of request.headers()) if (name === wanted) values.push(value)
  return values.join(', ')
}
