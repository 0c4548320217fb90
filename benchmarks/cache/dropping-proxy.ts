import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Something between a client and its Redis that can misbehave. */
export interface DroppingProxy {
  readonly url: string;
  /** While dropping, every connection is cut within 50 ms of its opening. */
  drop(on: boolean): void;
  close(): void;
}

export async function startDroppingProxy(port: number): Promise<DroppingProxy> {
  const sockets = new Set<Socket>();
  let timer: NodeJS.Timeout | undefined;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `redis://127.0.0.1:${(server.address() as { port: number }).port}`,
    drop(on) {
      clearInterval(timer);
      if (on) timer = setInterval(cut, 50);
    },
    close() {
      clearInterval(timer);
      cut();
      server.close();
    },
  };
}
