import { createRequire } from 'node:module';
import type { BenchmarkResult } from '@weir/bench';
import { Ajv2020 } from 'ajv/dist/2020.js';

let validate: ReturnType<Ajv2020['compile']> | undefined;

/** What is wrong with a result that someone else measured, or `undefined`. The schema is the one that `@weir/bench` publishes. */
export function explainResult(value: unknown): string | undefined {
  if (validate === undefined) {
    const schema = createRequire(import.meta.url)('@weir/bench/schema/result.schema.json') as object;
    // Formats are for editors here; a date is checked below.
    validate = new Ajv2020({ validateFormats: false, strict: false }).compile(schema);
  }
  if (!validate(value)) {
    const [error] = validate.errors ?? [];
    return `${error?.instancePath.slice(1).replaceAll('/', '.') || 'the body'} ${error?.message}`;
  }
  const { startedAt } = value as BenchmarkResult;
  return Number.isNaN(Date.parse(startedAt))
    ? `startedAt is no date: ${JSON.stringify(startedAt)}`
    : undefined;
}
