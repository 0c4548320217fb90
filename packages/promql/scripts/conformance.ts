import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runScript } from '../test/conformance/run-script.ts';

const { values } = parseArgs({
  options: { corpus: { type: 'string' }, verbose: { type: 'boolean', short: 'v', default: false } },
});

if (values.corpus === undefined || !statSync(values.corpus, { throwIfNoEntry: false })?.isDirectory()) {
  console.error(
    'Expected `--corpus DIR` with a directory of `.test` files. Add `-v` to list what is unsupported.',
  );
  process.exitCode = 2;
} else run(values.corpus, values.verbose);

function run(directory: string, verbose: boolean): void {
  const total = { passed: 0, failed: 0, unsupported: 0 };
  const reasons = new Map<string, number>();
  for (const file of readdirSync(directory)
    .filter((name) => name.endsWith('.test'))
    .sort()) {
    const counts = { passed: 0, failed: 0, unsupported: 0 };
    for (const { line, query, outcome, reason } of runScript(
      readFileSync(path.join(directory, file), 'utf8'),
    )) {
      counts[outcome]++;
      total[outcome]++;
      if (outcome === 'unsupported') reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      if (outcome === 'failed' || (verbose && outcome === 'unsupported'))
        console.log(`${file}:${line}: ${outcome}: ${query}\n    ${reason}`);
    }
    console.log(describe(file, counts));
  }
  console.log(describe('total', total));
  for (const [reason, count] of [...reasons].sort(([, a], [, b]) => b - a))
    console.log(`${String(count).padStart(6)} unsupported: ${reason}`);
  if (total.failed > 0) process.exitCode = 1;
}

function describe(name: string, { passed, failed, unsupported }: Record<string, number>): string {
  return `${name.padEnd(28)} ${passed} passed, ${failed} failed, ${unsupported} unsupported`;
}
