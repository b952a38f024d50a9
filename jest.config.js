/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  // Each worker loads libtorch, whose kernels use every core by themselves. Never one alone: jest would run all suites in its
  // own process, and what one leaves behind would be everybody's.
  maxWorkers: 2,
  workerIdleMemoryLimit: '250MB',
  // Networks run on the CPU here, and other jobs may share it.
  testTimeout: 300_000,
};
