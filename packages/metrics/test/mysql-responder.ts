import { createRequire } from 'node:module';

interface ServerConnection {
  sequenceId: number;
  serverHandshake(options: object): void;
  writeTextResult(rows: object[], columns: object[]): void;
  writeOk(options?: object): void;
  writeError(options: object): void;
  on(event: string, listener: (argument: string) => void): void;
}

interface Server {
  listen(port: number, host: string, callback: () => void): void;
  close(callback: () => void): void;
  on(event: 'connection', listener: (connection: ServerConnection) => void): void;
  readonly _server: { address(): { port: number } };
}

/** A server built on mysql2's server side: it answers SELECT with one row, FAIL with an error, and anything else with OK. */
export async function startMysqlResponder(): Promise<{ port: number; stop(): Promise<void> }> {
  const mysql = createRequire(import.meta.url)('mysql2') as { createServer(): Server };
  const server = mysql.createServer();
  server.on('connection', (connection) => {
    connection.serverHandshake({
      protocolVersion: 10,
      serverVersion: '8.0.0',
      connectionId: 1,
      statusFlags: 2,
      characterSet: 8,
      capabilityFlags: 0xffffff,
    });
    connection.on('query', (text) => {
      // The protocol restarts the sequence number for each command; the driver's server side does not.
      connection.sequenceId = 1;
      if (text.startsWith('FAIL')) connection.writeError({ message: 'told to', code: 1064 });
      else if (!text.startsWith('SELECT')) connection.writeOk();
      else {
        const column = {
          catalog: 'def',
          schema: '',
          table: 't',
          orgTable: 't',
          name: 'a',
          orgName: 'a',
          characterSet: 33,
          columnLength: 10,
          columnType: 253,
          flags: 0,
          decimals: 0,
        };
        connection.writeTextResult([{ a: 'x' }], [column]);
      }
      connection.sequenceId = 0;
    });
    connection.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: server._server.address().port,
    stop: () => new Promise((resolve) => server.close(resolve)),
  };
}
