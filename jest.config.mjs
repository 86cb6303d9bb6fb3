// Tests are TypeScript ES modules, run as Node.js itself runs them: types stripped, nothing else changed.
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/test/support/strip-types.mjs' },
  testTimeout: 60_000,
  // Tests wait for processes and sockets more than they compute.
  maxWorkers: 2,
}
