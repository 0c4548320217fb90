import { PromqlError, type PromqlErrorType } from '@weir/promql';
import { type ErrorCode, messageOf, ServiceError } from '../errors.ts';
import type { WireError } from './engine-protocol.ts';

/** An error on its way to another thread. */
export function toWire(thrown: unknown): WireError {
  if (thrown instanceof PromqlError)
    return { kind: 'promql', code: thrown.errorType, message: thrown.message };
  if (thrown instanceof ServiceError) return { kind: 'service', code: thrown.code, message: thrown.message };
  return { kind: 'internal', code: 'internal', message: messageOf(thrown) };
}

/** The error that {@link toWire} was given, as near as another thread can have it. */
export function fromWire(error: WireError): Error {
  if (error.kind === 'promql') return new PromqlError(error.code as PromqlErrorType, error.message);
  if (error.kind === 'service') return new ServiceError(error.code as ErrorCode, error.message);
  return new PromqlError('internal', error.message);
}
