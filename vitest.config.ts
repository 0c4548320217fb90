import { defineConfig } from 'vitest/config';

const root = import.meta.dirname;

/** Their subject is time under load: what runs beside them would be measured too. */
const alone = [
  'packages/bench/test/{cli,closed-loop,flow,micro,open-loop,doubts}.test.ts',
  'packages/bench/test/{compare,profile}/*.test.ts',
  'packages/metrics/test/{bounds,idle}.test.ts',
];

/** Two live engines over a shop, a minute of waiting: `pnpm prove:dashboards:short`. */
const live = process.env.WEIR_LIVE === '1' ? [] : ['dashboards/test/live/*.test.ts'];

export default defineConfig({
  resolve: { conditions: ['@weir/source'] },
  ssr: { resolve: { conditions: ['@weir/source'] } },
  test: {
    globalSetup: ['internal/test-kit/src/vitest-global-setup.ts'],
    setupFiles: [`${root}/test/fixed-seed.ts`],
    // Two-core machines run real servers beside the tests; a generous bound is for hangs, not for pace.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: process.env.CI
      ? ['default', ['json', { outputFile: `${root}/.weir/test-results.json` }]]
      : ['default'],
    projects: [
      {
        extends: true,
        test: {
          name: 'together',
          include: [
            'packages/*/test/**/*.test.ts',
            'service/test/**/*.test.ts',
            'service/web/test/**/*.test.ts',
            'dashboards/test/**/*.test.ts',
            'examples/*/test/**/*.test.ts',
            'internal/*/test/**/*.test.ts',
            'test/**/*.test.ts',
          ],
          exclude: ['**/node_modules/**', ...alone, ...live],
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: alone, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
