import { create, createFileRegistry, type DescService } from '@bufbuild/protobuf'
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  type FileDescriptorSet,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt'
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'

const { STRING, BOOL, INT32, MESSAGE } = FieldDescriptorProto_Type
const { OPTIONAL, REPEATED } = FieldDescriptorProto_Label
const field = (name: string, number: number, type: FieldDescriptorProto_Type, label = OPTIONAL) => ({
  name,
  jsonName: name,
  number,
  type,
  label,
  ...(type === MESSAGE && { typeName: '.test.Text' }),
})

const file = create(FileDescriptorProtoSchema, {
  name: 'echo.proto',
  package: 'test',
  syntax: 'proto3',
  messageType: [
    {
      name: 'Text',
      field: [
        field('value', 1, STRING),
        field('loud', 2, BOOL),
        field('times', 3, INT32),
        field('tags', 4, STRING, REPEATED),
        field('inner', 5, MESSAGE),
      ],
    },
  ],
  service: [
    {
      name: 'Echo',
      method: [['Say', false] as const, ['Count', true] as const, ['Fail', false] as const].map(
        ([name, serverStreaming]) => ({
          name,
          serverStreaming,
          inputType: '.test.Text',
          outputType: '.test.Text',
        }),
      ),
    },
  ],
})

/** test.Echo in the words of its clients. */
export const descriptors: FileDescriptorSet = create(FileDescriptorSetSchema, {
  file: [file],
})
export const echo = createFileRegistry(descriptors).getService('test.Echo') as DescService

export interface EchoServer {
  readonly port: number
  /** Metadata of the last call. */
  readonly seen: () => Metadata
  stop(): void
}

const asIs = (bytes: Buffer) => bytes
const method = (name: string, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream: false,
  responseStream,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
})

/** A gRPC server of its own: says what it is told, once or three times, or fails. */
export async function startEcho(): Promise<EchoServer> {
  let seen = new Metadata()
  const server = new Server()
  server.addService(
    { say: method('Say', false), count: method('Count', true), fail: method('Fail', false) },
    {
      say: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
        seen = call.metadata
        const trailer = new Metadata()
        trailer.set('x-trailer', 'at-the-end')
        callback(null, call.request, trailer)
      },
      count: (call: ServerWritableStream<Buffer, Buffer>) => {
        for (let i = 0; i < 3; i++) call.write(call.request)
        call.end()
      },
      fail: (_: unknown, callback: sendUnaryData<Buffer>) =>
        callback({ code: status.ALREADY_EXISTS, details: 'there is one' }),
    },
  )
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  )
  return { port, seen: () => seen, stop: () => server.forceShutdown() }
}
