import { create, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { FileDescriptorSetSchema, MethodOptionsSchema } from '@bufbuild/protobuf/wkt'
import { descriptors } from './echo-service.ts'

/** Fields of google.api.HttpRule. */
const fields = { get: 2, post: 4, body: 7, additional: 11 }

interface Rule {
  readonly get?: string
  readonly post?: string
  readonly body?: string
  readonly additional?: Rule
}

function written(rule: Rule): Uint8Array {
  const writer = new BinaryWriter()
  for (const name of ['get', 'post', 'body'] as const) {
    const value = rule[name]
    if (value !== undefined) writer.tag(fields[name], WireType.LengthDelimited).string(value)
  }
  if (rule.additional) writer.tag(fields.additional, WireType.LengthDelimited).bytes(written(rule.additional))
  return writer.finish()
}

/** The descriptor set of test.Echo, as protoc writes it with these annotations. */
export function annotated(rules: Readonly<Record<string, Rule>>): Uint8Array {
  const set = create(FileDescriptorSetSchema, {
    file: descriptors.file.map((file) => ({
      ...file,
      service: file.service.map((service) => ({
        ...service,
        method: service.method.map((method) => {
          const rule = rules[method.name]
          if (!rule) return method
          const options = create(MethodOptionsSchema)
          const data = new BinaryWriter().bytes(written(rule)).finish()
          options.$unknown = [{ no: 72_295_728, wireType: WireType.LengthDelimited, data }]
          return { ...method, options }
        }),
      })),
    })),
  })
  return toBinary(FileDescriptorSetSchema, set)
}
