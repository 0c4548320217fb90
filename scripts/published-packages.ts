import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/** The folders of all packages that go to npm. */
export const publishedPackages: readonly string[] = [
  ...['cache', 'ratelimit', 'metrics', 'bench', 'promql', 'redis'].map((name) =>
    join(root, 'packages', name),
  ),
  join(root, 'dashboards'),
];
