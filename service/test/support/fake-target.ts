import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface FakeTarget {
  readonly url: string;
  readonly instance: string;
  /** Answers every further request. */
  respond: (request: IncomingMessage, response: ServerResponse) => void;
  requests: number;
  close(): Promise<void>;
}

/** A real HTTP server whose answer a test decides; it ends with the test. */
export async function startFakeTarget(respond: FakeTarget['respond'] | string): Promise<FakeTarget> {
  const server = createServer((request, response) => {
    target.requests++;
    target.respond(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const target: FakeTarget = {
    url: `http://127.0.0.1:${port}`,
    instance: `127.0.0.1:${port}`,
    respond: typeof respond === 'string' ? (_request, response) => response.end(respond) : respond,
    requests: 0,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  onTestFinished(() => target.close());
  return target;
}
