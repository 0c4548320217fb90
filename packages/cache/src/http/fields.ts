/** Field names in lower case, as Node has them. */
export type HeaderFields = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Joins repeated fields as RFC 9110 §5.3 allows. */
export function fieldOf(headers: HeaderFields, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' || value === undefined ? value : value.join(', ');
}

/** The members of a list field (RFC 9110 §5.6.1) that are tokens, in lower case, each once, sorted. */
export function tokensOf(field: string | undefined): readonly string[] {
  const names = (field ?? '').split(',').map((name) => name.trim().toLowerCase());
  return [...new Set(names.filter((name) => name !== ''))].sort();
}

/** Headers as Node's responses hold them, numbers included, in the form this package reads. */
export function fieldsOf(headers: Readonly<Record<string, unknown>>): HeaderFields {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.toLowerCase(),
      Array.isArray(value) ? value.map(String) : value === undefined ? undefined : String(value),
    ]),
  );
}
