/* What signs requests to AWS, to be loaded where it does: import() of a CommonJS module has no names in a bundle. */
export { defaultProvider } from '@aws-sdk/credential-provider-node'
export { SignatureV4 } from '@smithy/signature-v4'
