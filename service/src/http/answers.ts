import { PromqlError, type PromqlErrorType } from '@weir/promql';
import type { FastifyReply } from 'fastify';
import { messageOf, ServiceError } from '../errors.ts';
import type { ApiData } from '../threads/engine-protocol.ts';

/** Answers with RFC 9457 problem details. `detail` names the repair where there is one. */
export function sendProblem(
  reply: FastifyReply,
  status: number,
  title: string,
  detail?: string,
): FastifyReply {
  return reply
    .code(status)
    .type('application/problem+json')
    .send(
      JSON.stringify({ type: 'about:blank', title, status, ...(detail === undefined ? {} : { detail }) }),
    );
}

type ErrorType = PromqlErrorType | 'not_found' | 'unavailable';

// As Prometheus' web/api/v1 answers them.
const statuses: Readonly<Record<ErrorType, number>> = {
  bad_data: 400,
  execution: 422,
  canceled: 499,
  timeout: 503,
  internal: 500,
  not_found: 404,
  unavailable: 503,
};

/** A request that is wrong in itself; the message is shown. */
export function badData(message: string): PromqlError {
  return new PromqlError('bad_data', message);
}

/** Prometheus' envelope around data that is JSON text already. */
export function sendData(reply: FastifyReply, { data, warnings, infos }: ApiData): FastifyReply {
  const notes =
    (warnings.length === 0 ? '' : `,"warnings":${JSON.stringify(warnings)}`) +
    (infos.length === 0 ? '' : `,"infos":${JSON.stringify(infos)}`);
  const body = Buffer.concat([Buffer.from('{"status":"success","data":'), data, Buffer.from(`${notes}}`)]);
  return reply.type('application/json').send(body);
}

/** Prometheus' envelope around a value. */
export function sendValue(reply: FastifyReply, data: unknown): FastifyReply {
  return reply.type('application/json').send(JSON.stringify({ status: 'success', data }));
}

/** Prometheus' envelope of an error, with the status Prometheus gives it. */
export function sendError(reply: FastifyReply, thrown: unknown): FastifyReply {
  const errorType = typeOf(thrown);
  return reply
    .code(statuses[errorType])
    .type('application/json')
    .send(JSON.stringify({ status: 'error', errorType, error: messageOf(thrown) }));
}

function typeOf(thrown: unknown): ErrorType {
  if (thrown instanceof PromqlError) return thrown.errorType;
  if (thrown instanceof ServiceError) return 'unavailable';
  const status = (thrown as { statusCode?: unknown }).statusCode;
  if (status === 404) return 'not_found';
  return typeof status === 'number' && status < 500 ? 'bad_data' : 'internal';
}

const heartbeatMs = 15_000;

interface EventStream {
  send(event: string, data: unknown): void;
  /** Ends the answer. */
  close(): void;
  /** Calls the listener once, whichever side ends the stream. */
  onClose(listener: () => void): void;
}

/**
 * Turns the answer into server-sent events (WHATWG HTML §9.2). A comment is sent every 15 s, so that proxies keep the connection
 * and a vanished reader is noticed. A reader with more than 1 MiB unread is disconnected.
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
