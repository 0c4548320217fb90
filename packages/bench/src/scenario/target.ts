import { readFile } from 'node:fs/promises';
import { BlockList, connect as connectTcp, isIP, type Socket } from 'node:net';
import {
  type ConnectionOptions,
  connect as connectTls,
  createSecureContext,
  getCACertificates,
  type SecureContext,
} from 'node:tls';
import {
  RedirectRefusedError,
  ScenarioFileError,
  TargetRefusedError,
  TargetUnreachableError,
} from '../errors.ts';

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

/** Checks the redirects of a target. */
interface RedirectWatch {
  readonly check: (location: string) => void;
  /** Aborted with a {@link RedirectRefusedError} at the first redirect to a host that is not allowed. */
  readonly refused: AbortSignal;
}

/**
 * Redirects are not followed, so all load goes to the target. A target that redirects to a host that is not allowed is probably
 * the wrong one.
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

/** A certificate authority that is trusted in addition to Node's own, as PEM. Plain data, so that it can be sent to a worker. */
export interface TlsTrust {
  readonly ca: string;
}

const contexts = new Map<string, SecureContext>();

/** Created once per authority, since parsing Node's whole trust store costs more than a connection. */
function secureContextOf({ ca }: TlsTrust): SecureContext {
  const known = contexts.get(ca);
  if (known !== undefined) return known;
  const context = createSecureContext({ ca: [...getCACertificates('default'), ca] });
  contexts.set(ca, context);
  return context;
}

/**
 * Reads the authority that a scenario's `tls.ca` names.
 *
 * @throws {@link ScenarioFileError} when the file is missing or holds no certificate
 */
export async function readTrust(file: string | undefined): Promise<TlsTrust | undefined> {
  if (file === undefined) return undefined;
  const ca = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new ScenarioFileError(`${file}: cannot be read (${cause.code}). Correct \`tls.ca\`.`, { cause });
  });
  try {
    if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw new Error('no certificate in it');
    secureContextOf({ ca });
  } catch (cause) {
    throw new ScenarioFileError(
      `${file}: is no certificate authority in PEM (${(cause as Error).message}). Correct \`tls.ca\`.`,
      { cause },
    );
  }
  return { ca };
}

/** Read buffer of all plain connections. Each reader consumes it before the next read. */
const readBuffer = Buffer.allocUnsafe(65_536);

/**
 * Opens a connection to an origin. `onData`, where given, gets every chunk, valid only until it returns. TLS certificates are
 * verified against Node's trust store, which `NODE_EXTRA_CA_CERTS` and the scenario's `tls` extend. The caller listens for
 * {@link readyEvent} and for `error`.
 */
export function connectTarget(target: URL, trust?: TlsTrust, onData?: (chunk: Buffer) => void): Socket {
  const host = hostOf(target);
  if (target.protocol === 'http:') {
    const options = { host, port: portOf(target), noDelay: true };
    if (onData === undefined) return connectTcp(options);
    const callback = (size: number, buffer: Uint8Array): boolean => {
      onData(
        buffer === readBuffer && size < readBuffer.length
          ? readBuffer.subarray(0, size)
          : Buffer.from(buffer.buffer, buffer.byteOffset, size),
      );
      return true;
    };
    return connectTcp({ ...options, onread: { buffer: readBuffer, callback } });
  }
  const servername = isIP(host) === 0 ? host : undefined;
  const socket = connectTls({
    host,
    port: portOf(target),
    ALPNProtocols: ['http/1.1'],
    noDelay: true,
    ...(servername === undefined ? {} : { servername }),
    ...(trust === undefined ? {} : { secureContext: secureContextOf(trust) }),
  } as ConnectionOptions);
  return onData === undefined ? socket : socket.on('data', onData);
}

/** The host of an origin, without the brackets of an IPv6 address. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/** The port of an origin, by default that of the protocol. */
export function portOf({ protocol, port }: URL): number {
  return Number(port || (protocol === 'https:' ? 443 : 80));
}

/** The event with which a connection of {@link connectTarget} becomes usable. */
export function readyEvent(target: URL): 'connect' | 'secureConnect' {
  return target.protocol === 'http:' ? 'connect' : 'secureConnect';
}

/**
 * Opens and closes one connection, so that an unreachable target or a wrong certificate is one error instead of many failed
 * requests.
 *
 * @throws {@link TargetUnreachableError}
 */
export function probeTarget(
  target: URL,
  trust: TlsTrust | undefined,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connectTarget(target, trust);
    const settle = (error?: Error): void => {
      signal?.removeEventListener('abort', onAbort);
      socket.destroy();
      if (error === undefined) resolve();
      else reject(new TargetUnreachableError(target.origin, error));
    };
    const onAbort = (): void => settle();
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.setTimeout(timeoutMs, () => settle(new Error(`no connection within ${timeoutMs} ms`)));
    socket.once('error', settle);
    socket.once(readyEvent(target), () => settle());
  });
}
