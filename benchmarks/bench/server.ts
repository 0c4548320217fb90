/**
 * A server whose behaviour is exact: answers at once, but for the stalls of STALLS, `[[begin, length], …]` in ms since the first
 * request. `GET /report` tells when requests arrived.
 */
import { createServer, type Socket } from 'node:net';

const stalls = JSON.parse(process.env.STALLS ?? '[]') as readonly (readonly [number, number])[];
const answer = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
const headEnd = Buffer.from('\r\n\r\n');
const arrivals: number[] = [];
const held: Socket[] = [];
let firstMs: number | undefined;
let stalled = false;

function begin(): void {
  for (const [atMs, lengthMs] of stalls) {
    setTimeout(() => {
      stalled = true;
    }, atMs);
    setTimeout(() => {
      stalled = false;
      for (const socket of held.splice(0)) if (!socket.destroyed) socket.write(answer);
    }, atMs + lengthMs);
  }
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
        begin();
      }
      if (process.env.ARRIVALS !== undefined) arrivals.push(nowMs);
      if (stalled) held.push(socket);
      else socket.write(answer);
    }
  });
}).listen(Number(process.env.PORT), '127.0.0.1');
