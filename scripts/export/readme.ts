export interface ReadmeProps {
  readonly name: string
  /** S3 bucket of the state. */
  readonly bucket?: string
  readonly providers: readonly { readonly source: string; readonly version: string }[]
  /** Paths of the files that go with main.tf.json. */
  readonly assets: readonly string[]
}

/** README.md of an exported stack. */
export const readme = ({ name, bucket, providers, assets }: ReadmeProps): string => `# ${name}

The API gateway of the environment ${name}, for Terraform or OpenTofu alone.

\`\`\`sh
terraform init
terraform plan
terraform apply
\`\`\`

With OpenTofu, say \`tofu\` in place of \`terraform\`.

- \`main.tf.json\`: all resources, in Terraform's JSON syntax.
${assets.map((file) => `- \`${file}\`: read by it.\n`).join('')}- Providers: ${
  providers.length > 0
    ? `${providers.map(({ source, version }) => `\`${source}\` ${version}`).join(', ')}. \`terraform init\` writes their sums to \`.terraform.lock.hcl\`; commit it.`
    : 'none is downloaded, the one that is built in does all.'
}
- State: ${
  bucket
    ? `in the S3 bucket \`${bucket}\`, locked by a file beside it. It is the same state that \`cdktf deploy\` uses: whoever goes on from here goes on with what is there.`
    : `\`terraform.tfstate\` in this folder. Keep it: without it Terraform does not know what it made. To go on with what \`cdktf deploy\` made, copy its \`terraform.${name}.tfstate\` here under that name before the first run.`
}

The folder is written anew by \`npm run export -- ${name}\`, which leaves state, locks and files of your own alone. From
the day that you change \`main.tf.json\` by hand, do not export again.
`
