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

/** The Cache-Status field (RFC 9211): this cache's member of the list. */
export interface StatusFacts {
  /** RFC 9211 §2.1 */
  readonly hit?: boolean;
  /** §2.2: why the request went to the handler. */
  readonly fwd?: 'bypass' | 'uri-miss' | 'vary-miss' | 'stale' | 'request' | 'method' | 'partial';
  /** §2.3: what the handler answered, where the client is told something else. */
  readonly fwdStatus?: number;
  /** §2.4: freshness left, negative when stale. */
  readonly ttlMs?: number;
  /** §2.5 */
  readonly stored?: boolean;
  /** §2.6: waited for another request's response. */
  readonly collapsed?: boolean;
  /** §2.7 */
  readonly key?: string;
  /** §2.8, a token. */
  readonly detail?: string;
}

/** `name; hit; ttl=9` and the like. */
export function cacheStatus(name: string, facts: StatusFacts): string {
  const { collapsed, detail, fwd, fwdStatus, hit, key, stored, ttlMs } = facts;
  let text = name;
  if (hit) text += '; hit';
  if (fwd !== undefined) text += `; fwd=${fwd}`;
  if (fwdStatus !== undefined) text += `; fwd-status=${fwdStatus}`;
  if (ttlMs !== undefined) text += `; ttl=${Math.floor(ttlMs / 1_000)}`;
  if (stored) text += '; stored';
  if (collapsed) text += '; collapsed';
  // A string of structured fields holds printable ASCII only (RFC 9651 §3.3.3).
  if (key !== undefined && /^[\x20-\x7e]*$/.test(key)) text += `; key="${key.replace(/["\\]/g, '\\$&')}"`;
  if (detail !== undefined) text += `; detail=${detail}`;
  return text;
}
