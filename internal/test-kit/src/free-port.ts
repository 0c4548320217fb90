import { createServer } from 'node:net';

/**
 * A TCP port of 127.0.0.1 that was free a moment ago, chosen by the operating system. Another process may take it before the
 * caller binds it: prefer port 0 where the server can report what it got.
 */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('The probe server reported no port.'));
      });
    });
  });
}

/** Whether 127.0.0.1:`port` can be bound now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
