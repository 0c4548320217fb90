import type { ResolvedRequest } from '../scenario.ts';

/** A request as it goes over the wire. */
export interface WireRequest {
  readonly method: string;
  readonly bytes: Buffer;
}

/** Serialises a request for keep-alive HTTP/1.1; `Host` is the target's unless the request sets one. */
export function toWire(request: ResolvedRequest, host: string): WireRequest {
  const body = request.body === undefined ? undefined : Buffer.from(request.body, 'utf8');
  let head = `${request.method} ${request.path} HTTP/1.1\r\n`;
  if (!Object.keys(request.headers).some((name) => name.toLowerCase() === 'host'))
    head += `host: ${host}\r\n`;
  for (const [name, value] of Object.entries(request.headers)) head += `${name}: ${value}\r\n`;
  if (body !== undefined) head += `content-length: ${body.length}\r\n`;
  const bytes = Buffer.from(`${head}\r\n`, 'latin1');
  return { method: request.method, bytes: body === undefined ? bytes : Buffer.concat([bytes, body]) };
}
