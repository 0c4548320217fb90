/**
 * A server whose behaviour is exact: answers at once, but for one stall that begins STALL_AFTER ms after the first request and lasts
 * STALL_MS. `GET /report` tells when requests arrived.
 */
import { createServer, type Socket } from 'node:net';

const stallAfterMs = Number(process.env.STALL_AFTER ?? Number.POSITIVE_INFINITY);
const stallMs = Number(process.env.STALL_MS ?? 0);
const answer = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
const headEnd = Buffer.from('\r\n\r\n');
const arrivals: number[] = [];
const held: Socket[] = [];
let firstMs: number | undefined;

function stalled(nowMs: number): boolean {
  const begin = (firstMs ?? nowMs) + stallAfterMs;
  return nowMs >= begin && nowMs < begin + stallMs;
}

function release(): void {
  for (const socket of held.splice(0)) if (!socket.destroyed) socket.write(answer);
}

createServer((socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    if (chunk.subarray(0, 11).toString('latin1') === 'GET /report') {
      const body = JSON.stringify(arrivals);
      socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      return;
    }
    const nowMs = performance.now();
    for (let at = chunk.indexOf(headEnd); at >= 0; at = chunk.indexOf(headEnd, at + 4)) {
      if (firstMs === undefined) {
        firstMs = nowMs;
        if (stallMs > 0) setTimeout(release, stallAfterMs + stallMs);
      }
      if (process.env.ARRIVALS !== undefined) arrivals.push(nowMs);
      if (stalled(nowMs)) held.push(socket);
      else socket.write(answer);
    }
  });
}).listen(Number(process.env.PORT), '127.0.0.1');
