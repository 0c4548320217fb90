import { comparisonJsonSchema, resultJsonSchema } from '../src/result/result-schema.ts';
import { scenarioJsonSchema } from '../src/scenario/scenario-schema.ts';

/** The published JSON schemas. */
export async function generate(): Promise<Map<string, string>> {
  const text = (schema: object): string => `${JSON.stringify(schema, null, 2)}\n`;
  return new Map([
    ['packages/bench/generated/scenario.schema.json', text(scenarioJsonSchema())],
    ['packages/bench/generated/result.schema.json', text(resultJsonSchema())],
    ['packages/bench/generated/comparison.schema.json', text(comparisonJsonSchema())],
  ]);
}
