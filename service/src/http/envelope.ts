import { PromqlError, type PromqlErrorType } from '@weir/promql';
import type { FastifyReply } from 'fastify';
import type { ApiData } from '../engine/engine-protocol.ts';
import { messageOf, ServiceError } from '../errors.ts';

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
