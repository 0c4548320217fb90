import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface RawConnection {
  readonly socket: Socket;
  /** What came so far. */
  readonly received: () => string;
  /** Resolves with everything that came, once the other side closed the connection. */
  readonly closed: Promise<string>;
}

/** A connection on which a test writes what no client would; it ends with the test. */
export function openRaw(url: string, text: string): RawConnection {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let received = '';
  socket.on('error', () => {});
  socket.setEncoding('utf8').on('data', (part) => {
    received += part;
  });
  const closed = new Promise<string>((resolve) => socket.on('close', () => resolve(received)));
  socket.write(text);
  onTestFinished(() => void socket.destroy());
  return { socket, received: () => received, closed };
}

/** Sends a head, and a body where there is one, and resolves with the whole answer. The head asks to close the connection. */
export function askRaw(
  url: string,
  requestLine: string,
  headers: Record<string, string>,
  body = '',
): Promise<string> {
  const all = { host: new URL(url).host, connection: 'close', ...headers };
  const lines = [requestLine, ...Object.entries(all).map(([name, value]) => `${name}: ${value}`)];
  return openRaw(url, `${lines.join('\r\n')}\r\n\r\n${body}`).closed;
}
