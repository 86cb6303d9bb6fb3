import { appendFile } from 'node:fs/promises'
import { z } from 'zod'
import { defineLogPlugin } from './log-plugin.ts'

/** The file is opened for each batch: whoever rotates it need tell nobody. */
export const fileLog = defineLogPlugin({
  name: 'file-log',
  order: 9,
  description: 'Writes a line of JSON for each request to a file of its own.',
  shape: {
    path: z
      .string()
      .startsWith('/', 'expected an absolute path')
      .describe('Made where it is missing, mode 0640.'),
  },
  examples: [{ path: '/var/log/gateway/orders.log' }],
  open: ({ path }) => ({
    send: (lines) => appendFile(path, `${lines.join('\n')}\n`, { mode: 0o640 }),
    close: () => {},
  }),
})
