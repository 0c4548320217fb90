import { configSchema } from '../src/config/schema.ts';

/** The configuration's JSON Schema, for editors. */
export async function generate(): Promise<Map<string, string>> {
  return new Map([['service/weir.config.schema.json', `${JSON.stringify(configSchema, null, 2)}\n`]]);
}
