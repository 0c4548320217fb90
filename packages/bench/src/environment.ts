import { execFile } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import type { BenchmarkEnvironment } from './result.ts';

/** Describes this machine and, inside a git repository, the commit that is checked out. */
export async function describeEnvironment(): Promise<BenchmarkEnvironment> {
  const commit = await currentCommit();
  return {
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    ...(commit === undefined ? {} : { commit }),
  };
}

function currentCommit(): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile('git', ['rev-parse', 'HEAD'], { timeout: 2_000 }, (error, stdout) => {
      resolve(error === null ? stdout.trim() : undefined);
    });
  });
}
