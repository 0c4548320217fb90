import type { Socket } from 'node:net';
import { openConnections, requestFor } from './connections.ts';

const CONNECTIONS = 20;
// A timer may fire so much later than asked; nearer to a due time the loop polls.
const TIMER_MS = 1.5;

/** Requests due at even intervals, whether or not earlier ones were answered, over keep-alive connections with one request under way on each. */
export class OpenLoad {
  readonly #idle: Socket[];
  readonly #sockets: readonly Socket[];
  readonly #request: string;

  private constructor(sockets: Socket[], request: string) {
    this.#idle = [...sockets];
    this.#sockets = sockets;
    this.#request = request;
  }

  static async open(origin: string, path: string): Promise<OpenLoad> {
    return new OpenLoad(await openConnections(origin, CONNECTIONS), requestFor(path));
  }

  /** Latency of every request in ms, from the moment it was due: a stall weighs on all that were due in it. Rejects on any answer but 200. */
  send(requests: number, perSecond: number): Promise<number[]> {
    const latenciesMs: number[] = [];
    const waiting: number[] = [];
    const beginMs = performance.now();
    const dueMs = (index: number): number => beginMs + (index * 1_000) / perSecond;
    let begun = 0;
    return new Promise((resolve, reject) => {
      const onClose = (): void => reject(new Error('The server closed a connection.'));
      for (const socket of this.#sockets) socket.once('close', onClose);
      const start = (socket: Socket, due: number): void => {
        let pending = '';
        const onData = (chunk: Buffer): void => {
          pending += chunk.toString('latin1');
          if (!pending.endsWith('"world"}')) return;
          socket.off('data', onData);
          if (!pending.startsWith('HTTP/1.1 200 ')) {
            reject(new Error(pending));
            return;
          }
          latenciesMs.push(performance.now() - due);
          const next = waiting.shift();
          if (next !== undefined) {
            start(socket, next);
            return;
          }
          this.#idle.push(socket);
          if (latenciesMs.length < requests) return;
          for (const each of this.#sockets) each.off('close', onClose);
          resolve(latenciesMs);
        };
        socket.on('data', onData);
        socket.write(this.#request);
      };
      const turn = (): void => {
        for (; begun < requests && dueMs(begun) <= performance.now(); begun += 1) {
          // The one that waited longest: a server closes what is idle for five seconds.
          const socket = this.#idle.shift();
          if (socket === undefined) waiting.push(dueMs(begun));
          else start(socket, dueMs(begun));
        }
        if (begun === requests) return;
        const restMs = dueMs(begun) - performance.now();
        if (restMs > TIMER_MS) setTimeout(turn, restMs - TIMER_MS);
        else setImmediate(turn);
      };
      turn();
    });
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
