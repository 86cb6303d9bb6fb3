import * as pulumi from '@pulumi/pulumi'

/** `pulumi.output` for values of which the type is not known: its own result type cannot be computed for them. */
export const outputOf = (value: unknown) =>
  pulumi.output(value as object) as unknown as pulumi.Output<unknown>
