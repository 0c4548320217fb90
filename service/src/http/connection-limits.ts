import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

/** How long a client may take, in milliseconds. */
export interface ConnectionLimits {
  /** From the first byte of a connection or request to the end of its head. */
  readonly headMs: number;
  /** From the first byte of a request to the last of its body. */
  readonly requestMs: number;
  /** For the rest of a body whose request has been answered already: the client may still be sending it. */
  readonly unreadMs: number;
  /** Without a byte in either direction, while a request is answered. Event streams send one every 15 s. */
  readonly idleMs: number;
}

export const connectionLimits: ConnectionLimits = {
  headMs: 15_000,
  requestMs: 60_000,
  unreadMs: 5_000,
  idleMs: 180_000,
};

/** The limits as options of Fastify and of Node's server, which closes what exceeds them. */
export function serverLimits({ headMs, requestMs, idleMs }: ConnectionLimits): {
  readonly requestTimeout: number;
  readonly connectionTimeout: number;
  readonly http: { readonly headersTimeout: number; readonly connectionsCheckingInterval: number };
} {
  return {
    requestTimeout: requestMs,
    connectionTimeout: idleMs,
    http: { headersTimeout: headMs, connectionsCheckingInterval: Math.min(5_000, Math.ceil(headMs / 4)) },
  };
}

/**
 * Answers whose request has a body that is still under way leave the connection open: closed at once, a client that is still
 * sending would not get its answer. The rest of the body is discarded, and where it does not end soon the connection is closed.
 */
export function closeUnread(app: FastifyInstance, { unreadMs }: ConnectionLimits): void {
  app.addHook('onSend', async (request, reply) => {
    // Fastify closes after every body that it refuses.
    if (!request.raw.complete) reply.removeHeader('connection');
  });
  app.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    response.once('finish', () => {
      if (request.complete) return;
      request.resume();
      const timer = setTimeout(() => {
        if (!request.complete) request.socket.destroy();
      }, unreadMs).unref();
      request.once('close', () => clearTimeout(timer));
    });
  });
}
