import { BlockList, isIP } from 'node:net';
import { RedirectRefusedError, TargetRefusedError } from './errors.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * Throws unless `target` is loopback or on the list. An entry is a host (`bench.internal`), a host with port
 * (`10.0.0.7:8080`), or a domain with all below it (`*.bench.internal`). A name is compared as written, never
 * resolved, except `localhost`, which is loopback by definition (RFC 6761 section 6.3).
 *
 * @throws {@link TargetRefusedError}
 */
export function assertTargetAllowed(target: string, allowTargets: readonly string[]): void {
  const url = new URL(target);
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (isLoopback(host)) return;
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (!allowTargets.some((entry) => matches(entry.toLowerCase(), host, port))) {
    throw new TargetRefusedError(target, allowTargets);
  }
}

/** Watches where answers point. */
export interface RedirectWatch {
  readonly check: (location: string) => void;
  /** Aborted with a {@link RedirectRefusedError} by the first redirect out of the allow-list. */
  readonly refused: AbortSignal;
}

/**
 * Redirects are never followed, so none of the load leaves the target; yet a target that answers with a redirect out of the
 * allow-list is not the one that its owner meant to load.
 */
export function watchRedirects(target: string, allowTargets: readonly string[]): RedirectWatch {
  const refusal = new AbortController();
  const allowed = new Set<string>();
  return {
    refused: refusal.signal,
    check(location) {
      const url = URL.parse(location, target);
      if (url === null || allowed.has(url.origin) || refusal.signal.aborted) return;
      try {
        assertTargetAllowed(url.origin, allowTargets);
        allowed.add(url.origin);
      } catch {
        refusal.abort(new RedirectRefusedError(target, url.origin));
      }
    },
  };
}

function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host === 'localhost' || host.endsWith('.localhost');
  return loopback.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

function matches(entry: string, host: string, port: string): boolean {
  const plain = host.includes(':') ? `[${host}]` : host;
  if (entry === host || entry === plain || entry === `${plain}:${port}`) return true;
  return entry.startsWith('*.') && isIP(host) === 0 && host.endsWith(entry.slice(1));
}
