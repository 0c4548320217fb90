import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** A request that no client has sent. */
export interface DetachedRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly remoteAddress: string | undefined;
  readonly isEncrypted: boolean;
}

/**
 * Has a `node:http` request listener answer a GET that comes from nowhere; resolves when it has answered. Request and
 * response are Node's own classes, for Express gives both its own prototypes.
 */
export function handleDetached(
  listener: (request: IncomingMessage, response: ServerResponse) => unknown,
  { headers, isEncrypted, remoteAddress, url }: DetachedRequest,
): Promise<void> {
  const socket = new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      done();
    },
  });
  Object.assign(socket, { remoteAddress, encrypted: isEncrypted });
  const request = new IncomingMessage(socket as Socket);
  Object.assign(request, {
    method: 'GET',
    url,
    headers,
    httpVersion: '1.1',
    httpVersionMajor: 1,
    httpVersionMinor: 1,
  });
  request.complete = true;
  request.push(null);
  const response = new ServerResponse(request);
  response.assignSocket(socket as Socket);
  return new Promise((resolve) => {
    response.once('finish', resolve);
    response.once('close', resolve);
    listener(request, response);
  });
}
