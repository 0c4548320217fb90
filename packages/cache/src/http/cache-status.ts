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
