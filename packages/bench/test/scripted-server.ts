import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A server whose every request is answered by hand, so that faults are exact. */
export interface ScriptedServer {
  readonly target: string;
  /** Requests whose head has arrived, and when (`performance.now`). */
  readonly arrivals: number[];
  readonly heads: string[];
  connections(): number;
  close(): Promise<void>;
}

/** Answers the `index`-th request of the server (from 0) on its socket. */
export type Script = (socket: Socket, index: number, head: string) => void;

export const plainAnswer = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

/** Starts a server on a free port of loopback; requests must have no body. */
export async function startScriptedServer(script: Script): Promise<ScriptedServer> {
  const arrivals: number[] = [];
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.setNoDelay(true);
    let pending = '';
    socket.on('data', (chunk) => {
      pending += chunk.toString('latin1');
      for (let end = pending.indexOf('\r\n\r\n'); end >= 0; end = pending.indexOf('\r\n\r\n')) {
        const head = pending.slice(0, end);
        pending = pending.slice(end + 4);
        arrivals.push(performance.now());
        heads.push(head);
        script(socket, arrivals.length - 1, head);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    target: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrivals,
    heads,
    connections: () => sockets.size,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
