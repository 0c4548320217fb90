import type { Socket } from 'node:net';
import { openConnections, requestFor } from './connections.ts';

const CONNECTIONS = 10;

/**
 * Keep-alive connections, one request under way on each. Written on bare sockets: a client that costs less leaves more of the
 * machine to the server that is measured.
 */
export class HttpLoad {
  readonly #sockets: Socket[];
  readonly #request: string;

  private constructor(sockets: Socket[], request: string) {
    this.#sockets = sockets;
    this.#request = request;
  }

  static async open(origin: string, path: string): Promise<HttpLoad> {
    return new HttpLoad(await openConnections(origin, CONNECTIONS), requestFor(path));
  }

  /** Resolves when `requests` were answered, each with 200 and the whole body. */
  async send(requests: number): Promise<void> {
    let left = requests;
    const lane = (socket: Socket): Promise<void> =>
      new Promise((resolve, reject) => {
        let pending = '';
        const next = (): void => {
          if (left === 0) {
            socket.removeAllListeners('data');
            resolve();
            return;
          }
          left -= 1;
          socket.write(this.#request);
        };
        socket.on('data', (chunk: Buffer) => {
          pending += chunk.toString('latin1');
          if (!pending.endsWith('"world"}')) return;
          if (!pending.startsWith('HTTP/1.1 200 ')) {
            reject(new Error(pending));
            return;
          }
          pending = '';
          next();
        });
        socket.once('close', () => reject(new Error('The server closed a connection.')));
        next();
      });
    await Promise.all(this.#sockets.map(lane));
    for (const socket of this.#sockets) socket.removeAllListeners('close');
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
