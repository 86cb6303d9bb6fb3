import { type Shape, withoutNulls } from './shape.ts'

export const consumerShape: Shape = {
  nameKey: 'username',
  minimal: {},
  toApi: ({ full }) => ({ custom_id: full.custom_id ?? null }),
  /** Groups and credentials are entities of their own, and stay where they are not given. */
  fromApi(body, _index, existing) {
    const { groups, credentials } = existing ?? {}
    const { username, ...rest } = withoutNulls({ groups, credentials, ...body })
    return { ...rest, ...(username !== undefined && { name: username }) }
  },
}
