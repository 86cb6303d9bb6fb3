import { stripTypeScriptTypes } from 'node:module'

/** Jest transformer: erases types in place, so that lines and columns stay those of the source. */
export default {
  process: (source) => ({ code: stripTypeScriptTypes(source) }),
}
