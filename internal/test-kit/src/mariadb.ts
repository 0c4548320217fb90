import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverExecutable } from './install-servers.ts';
import { startServerProcess } from './server-process.ts';

export interface MariadbServer {
  /** The only way in; any user name will do. */
  readonly socketPath: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/**
 * An own `mariadbd` with its data in a temporary directory, which goes with it. It is reached by a socket in that directory
 * alone, and so needs no tables of privileges: an empty data directory will do.
 */
export async function startMariadb(): Promise<MariadbServer> {
  // Short: the path of a socket may have 107 bytes.
  const directory = mkdtempSync(join(tmpdir(), 'weir-my-'));
  const socketPath = join(directory, 'socket');
  mkdirSync(join(directory, 'data'));
  try {
    const server = await startServerProcess({
      name: 'mariadbd',
      command: serverExecutable('mariadb'),
      args: [
        '--no-defaults',
        `--datadir=${join(directory, 'data')}`,
        `--socket=${socketPath}`,
        '--skip-networking',
        '--skip-grant-tables',
        '--innodb-buffer-pool-size=16M',
        '--innodb-log-file-size=4M',
        '--innodb-flush-log-at-trx-commit=0',
        ...(process.getuid?.() === 0 ? ['--user=root'] : []),
      ],
      cwd: directory,
      isReady: () => greets(socketPath),
    });
    return {
      socketPath,
      pid: server.pid,
      async stop() {
        await server.kill();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

/** The server speaks first. */
function greets(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('data', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
