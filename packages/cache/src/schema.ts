import { CacheError } from './errors.ts';

/** What the cache calls of a Standard Schema (https://standardschema.dev): zod, valibot, arktype and others have it. */
export interface StandardSchema<T = unknown> {
  readonly '~standard': {
    readonly version: 1;
    validate(value: unknown): SchemaResult<T> | Promise<SchemaResult<T>>;
  };
}

/** A validated value, or the issues found. */
export type SchemaResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly unknown[] };

/**
 * The value as the schema hands it back, which is what readers get. An `undefined` or `null` that the schema refuses passes:
 * it says that there is no value. Rejects with `ERR_WEIR_CACHE_INVALID_VALUE` for anything else that has issues.
 */
export async function applySchema(
  schema: StandardSchema,
  value: unknown,
  definition: string | undefined,
): Promise<unknown> {
  const result = await schema['~standard'].validate(value);
  if (result.issues === undefined) return result.value;
  if (value === undefined || value === null) return value;
  const [first] = result.issues as readonly { readonly message?: unknown }[];
  throw new CacheError(
    'ERR_WEIR_CACHE_INVALID_VALUE',
    `A value of \`${definition}\` does not satisfy its schema: ${String(first?.message ?? 'no reason given').slice(0, 200)} (${result.issues.length} issue(s), listed in \`cause\`). Correct the load or the schema.`,
    { cause: result.issues },
  );
}
