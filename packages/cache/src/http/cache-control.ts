/** The directives of a Cache-Control field (RFC 9111 §5.2), names in lower case; `''` for those without a value. */
export type CacheControl = ReadonlyMap<string, string>;

// token [ "=" ( token / quoted-string ) ], separated by commas (RFC 9110 §5.6).
const directive = /([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/g;

/** Of a directive that is repeated the first counts. Anything malformed is skipped. */
export function parseCacheControl(field: string | undefined): CacheControl {
  const directives = new Map<string, string>();
  for (const [, name = '', quoted, token] of (field ?? '').matchAll(directive)) {
    const key = name.toLowerCase();
    if (!directives.has(key)) directives.set(key, quoted?.replace(/\\(.)/g, '$1') ?? token ?? '');
  }
  return directives;
}

/**
 * A directive in delta-seconds (RFC 9111 §1.2.2), in milliseconds. A value that is no number makes the response stale
 * (§4.2.1): 0. `undefined` when the directive is absent.
 */
export function deltaMs(control: CacheControl, name: string): number | undefined {
  const value = control.get(name);
  if (value === undefined) return undefined;
  return /^\d+$/.test(value) ? Math.min(Number(value), 2 ** 31) * 1_000 : 0;
}
