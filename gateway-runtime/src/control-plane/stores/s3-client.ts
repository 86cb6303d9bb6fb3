/* What is used of the client of S3, to be loaded where it is: import() of a CommonJS module has no names in a bundle. */
export { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
