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
  // Each worker loads libtorch, whose kernels use every core by themselves.
  maxWorkers: process.env.CI ? 1 : 2,
  // Networks run on the CPU here, and other jobs may share it.
  testTimeout: 300_000,
};
