import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { runScript } from './conformance/run-script.ts';

const corpus = process.env.WEIR_PROMQL_CORPUS;

describe('the test language', () => {
  it('passes what holds, fails what does not, and sets apart what the engine leaves out', () => {
    const script = `
      load 1m
        requests_total{job="shop"} 0+60x10
        latency {{schema:0 count:1}}x10

      eval instant at 10m rate(requests_total[5m])
        {job="shop"} 1

      eval range from 0 to 2m step 1m requests_total
        requests_total{job="shop"} 0 60 120

      eval instant at 10m requests_total
        requests_total{job="shop"} 1

      eval instant at 10m latency
        latency {{schema:0 count:1}}

      eval instant at 10m limitk(1, requests_total)
        expect fail

      eval instant at 10m requests_total +
        expect fail
    `;
    expect(runScript(script).map(({ outcome }) => outcome)).toEqual([
      'passed',
      'passed',
      'failed',
      'unsupported',
      'unsupported',
      'passed',
    ]);
  });
});

// Prometheus' own test files are not part of this repository; point the variable at a copy.
describe.runIf(corpus !== undefined)('the corpus at WEIR_PROMQL_CORPUS', () => {
  const directory = corpus ?? '';
  const files = corpus === undefined ? [] : readdirSync(directory).filter((name) => name.endsWith('.test'));
  it.each(files)('holds in %s', (file) => {
    const verdicts = runScript(readFileSync(path.join(directory, file), 'utf8'));
    expect(verdicts.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
  });
});
