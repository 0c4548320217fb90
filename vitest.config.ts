import { defineConfig } from 'vitest/config';

const root = import.meta.dirname;

export default defineConfig({
  resolve: { conditions: ['@weir/source'] },
  ssr: { resolve: { conditions: ['@weir/source'] } },
  test: {
    include: [
      'packages/*/test/**/*.test.ts',
      'service/test/**/*.test.ts',
      'service/web/test/**/*.test.ts',
      'dashboards/test/**/*.test.ts',
      'examples/*/test/**/*.test.ts',
      'internal/*/test/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    globalSetup: ['internal/test-kit/src/vitest-global-setup.ts'],
    // Two-core machines run real servers beside the tests; a generous bound is for hangs, not for pace.
    testTimeout: 30_000,
    hookTimeout: 120_000,
    reporters: process.env.CI
      ? ['default', ['json', { outputFile: `${root}/.weir/test-results.json` }]]
      : ['default'],
  },
});
