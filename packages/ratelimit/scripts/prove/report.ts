import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../../..');
const file = join(root, 'benchmarks/results/ratelimit-proofs.json');

/** What one proof found. */
export interface Proof {
  /** Every promise was kept. */
  readonly held: boolean;
  readonly figures: object;
}

/** Where a peer lies: peers are dependencies of the benchmarks only. */
export function peer(name: string): string {
  return createRequire(join(root, 'benchmarks/package.json')).resolve(name);
}

/** Writes one proof to benchmarks/results/ratelimit-proofs.json, beside what earlier runs found of the others. */
export async function record(name: string, proof: Proof, durationMs: number): Promise<void> {
  const known = await readFile(file, 'utf8').then(
    (text) => JSON.parse(text) as object,
    () => ({}),
  );
  const [cpu] = cpus();
  const entry = {
    ...proof,
    seconds: Math.round(durationMs / 1000),
    machine: { cpu: cpu?.model, cores: cpus().length, node: process.version },
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim(),
    date: new Date().toISOString(),
  };
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, `${JSON.stringify({ ...known, [name]: entry }, null, 2)}\n`);
}

/** Three digits are what these measurements carry. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
