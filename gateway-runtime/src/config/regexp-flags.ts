import { setFlagsFromString } from 'node:v8'
import { isMainThread } from 'node:worker_threads'

// Flags are those of the process. Set before a worker starts, they hold there; set later, they would also have V8 refuse
// the compiled code that the worker finds of the start before, which is made for these.
if (isMainThread) {
  setFlagsFromString('--enable-experimental-regexp-engine')
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks')
  setFlagsFromString('--regexp-backtracks-before-fallback=10000')
}
