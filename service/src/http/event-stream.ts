import type { FastifyReply } from 'fastify';

const heartbeatMs = 15_000;

export interface EventStream {
  send(event: string, data: unknown): void;
  /** Ends the answer. */
  close(): void;
  /** Called once, whichever side ended the stream. */
  onClose(listener: () => void): void;
}

/**
 * Turns the answer into server-sent events (WHATWG HTML §9.2). A comment goes out every 15 s, so that proxies keep the
 * connection and a vanished reader is noticed. A reader that does not read is dropped rather than buffered for.
 */
export function openEventStream(reply: FastifyReply): EventStream {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    connection: 'close',
  });
  raw.write(': open\n\n');
  const write = (text: string): void => {
    if (raw.writableLength > 1_048_576) raw.destroy();
    else raw.write(text);
  };
  const timer = setInterval(() => write(': alive\n\n'), heartbeatMs);
  raw.on('close', () => clearInterval(timer));
  raw.on('error', () => {});
  return {
    send: (event, data) => write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
    close: () => raw.end(),
    onClose: (listener) => raw.once('close', listener),
  };
}
