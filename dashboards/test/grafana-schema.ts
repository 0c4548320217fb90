import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv, type AnySchemaObject } from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';

const kinds = dirname(
  dirname(fileURLToPath(import.meta.resolve('@grafana/grafana-foundation-sdk/dashboard'))),
);

/** What a value does not keep of a type, a line each. */
export type Check = (value: unknown) => readonly string[];

/**
 * A check against a type of Grafana's SDK, which follows Grafana's own schema kinds: its declarations become a JSON
 * schema that allows no property they do not name.
 *
 * @param kind such as `dashboard`, `prometheus`, `stat`
 */
export function grafanaCheck(kind: string, type: string): Check {
  const schema = createGenerator({
    path: join(kinds, kind, 'types.gen.d.ts'),
    type,
    skipTypeCheck: true,
    // The marker methods of its query types are for the compiler.
    functions: 'hide',
    additionalProperties: false,
  }).createSchema(type);
  const validate = new Ajv({ strict: false, allErrors: true }).compile<unknown>({
    ...schema,
  } as AnySchemaObject);
  return (value) => {
    if (validate(value)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  };
}
