import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { TargetUnreachableError } from './errors.ts';
import { secureContextOf, type TlsTrust } from './tls-trust.ts';

/** Read buffer of every plain connection: its reader takes what it needs before the next read begins. */
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

/** The port of an origin, the protocol's own where none is written. */
export function portOf({ protocol, port }: URL): number {
  return Number(port || (protocol === 'https:' ? 443 : 80));
}

/** The event with which a connection of {@link connectTarget} becomes usable. */
export function readyEvent(target: URL): 'connect' | 'secureConnect' {
  return target.protocol === 'http:' ? 'connect' : 'secureConnect';
}

/**
 * Opens and closes one connection, so that a dead target or a wrong certificate is one clear error and not a storm of
 * failed requests.
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
