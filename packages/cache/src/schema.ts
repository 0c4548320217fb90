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

/** The value as the schema hands it back; rejects when it has issues. */
export async function validate(schema: StandardSchema, value: unknown): Promise<unknown> {
  const result = await schema['~standard'].validate(value);
  if (result.issues !== undefined) throw new TypeError('a stored value does not satisfy its schema');
  return result.value;
}
