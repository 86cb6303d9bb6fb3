import { type DescFile, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { Code, type ConnectRouter } from '@connectrpc/connect'
import { file_gatehouse_admin_v1_admin } from './generated/gatehouse/admin/v1/admin_pb.js'
import { file_grpc_health_v1_health } from './generated/grpc/health/v1/health_pb.js'
import {
  file_grpc_reflection_v1_reflection,
  ServerReflection,
  type ServerReflectionRequest,
} from './generated/grpc/reflection/v1/reflection_pb.js'
import {
  type ServerReflectionRequest as AlphaRequest,
  file_grpc_reflection_v1alpha_reflection,
  ServerReflection as ServerReflectionAlpha,
} from './generated/grpc/reflection/v1alpha/reflection_pb.js'

const roots = [
  file_gatehouse_admin_v1_admin,
  file_grpc_health_v1_health,
  file_grpc_reflection_v1_reflection,
  file_grpc_reflection_v1alpha_reflection,
]

/** A file with those that it imports, which stand in front of it. */
const withImports = (file: DescFile): DescFile[] => [
  ...new Set([...file.dependencies.flatMap(withImports), file]),
]
const files = [...new Set(roots.flatMap(withImports))]

/** Names of files have no ending here. */
const byFilename = new Map(files.map((file) => [`${file.name}.proto`, file]))
const bySymbol = new Map<string, DescFile>(
  files.flatMap((file) =>
    [...file.services, ...file.messages, ...file.enums].map(({ typeName }) => [typeName, file] as const),
  ),
)

/** A symbol may be a method or field within one that is known. */
function fileOf(symbol: string): DescFile | undefined {
  for (let name = symbol; name !== ''; name = name.slice(0, Math.max(name.lastIndexOf('.'), 0))) {
    const file = bySymbol.get(name)
    if (file) return file
  }
  return undefined
}

type Answer =
  | {
      readonly case: 'fileDescriptorResponse'
      readonly value: { readonly fileDescriptorProto: Uint8Array[] }
    }
  | {
      readonly case: 'listServicesResponse'
      readonly value: { readonly service: { readonly name: string }[] }
    }
  | {
      readonly case: 'errorResponse'
      readonly value: { readonly errorCode: number; readonly errorMessage: string }
    }

const described = (file: DescFile | undefined): Answer =>
  file
    ? {
        case: 'fileDescriptorResponse',
        value: {
          fileDescriptorProto: withImports(file).map(({ proto }) =>
            toBinary(FileDescriptorProtoSchema, proto),
          ),
        },
      }
    : {
        case: 'errorResponse',
        value: { errorCode: Code.NotFound, errorMessage: 'there is no such file or symbol' },
      }

function answerTo({ messageRequest }: ServerReflectionRequest | AlphaRequest): Answer {
  switch (messageRequest.case) {
    case 'listServices': {
      const names = roots.flatMap(({ services }) => services.map(({ typeName }) => ({ name: typeName })))
      return { case: 'listServicesResponse', value: { service: names } }
    }
    case 'fileByFilename':
      return described(byFilename.get(messageRequest.value))
    case 'fileContainingSymbol':
      return described(fileOf(messageRequest.value))
    default:
      return described(undefined)
  }
}

/** Tells clients such as grpcurl what services and messages there are; both names that the protocol has had. */
export function addReflection(router: ConnectRouter): void {
  router.service(ServerReflection, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests)
        yield { validHost: request.host, originalRequest: request, messageResponse: answerTo(request) }
    },
  })
  router.service(ServerReflectionAlpha, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests)
        yield { validHost: request.host, originalRequest: request, messageResponse: answerTo(request) }
    },
  })
}
