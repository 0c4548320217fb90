import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { runScript } from './conformance/run-script.ts';

const directory = path.join(import.meta.dirname, 'scripts');

// Statements of the Prometheus test language, each checked as an instant and as a range query and under `@`.
it.each(readdirSync(directory))('%s holds', (file) => {
  const verdicts = runScript(readFileSync(path.join(directory, file), 'utf8'));
  expect(verdicts.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
  expect(verdicts.length).toBeGreaterThan(5);
});
