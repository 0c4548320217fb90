import { connect, type Socket } from 'node:net';

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** So many open connections to a server on the loopback. */
export function openConnections(origin: string, count: number): Promise<Socket[]> {
  const port = Number(new URL(origin).port);
  return Promise.all(Array.from({ length: count }, () => open(port)));
}

/** A request for `path` as it goes over the wire. */
export function requestFor(path: string): string {
  return `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`;
}
