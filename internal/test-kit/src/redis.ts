import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';
import { serverExecutable } from './install-servers.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';

export interface StartRedisOptions {
  /** Appended to the command line: `['--maxmemory', '10mb']`. */
  args?: string[];
  /** Default: one from the operating system. Give it to start again where a killed server was. */
  port?: number;
}

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** SIGSTOP: connections stay open and nothing answers, as with a frozen host. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** SIGKILL, as a crash; resolves when it is gone. */
  kill(): Promise<void>;
  /** Ends it, paused or not; resolves when it is gone. */
  stop(): Promise<void>;
}

/** An own `redis-server` process on 127.0.0.1 without persistence; a test may freeze, kill and flush it. */
export async function startRedis(options: StartRedisOptions = {}): Promise<RedisServer> {
  const { server, port } = await startRedisProcess(options.args ?? [], options.port);
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: server.pid,
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    kill: () => server.kill(),
    stop: () => server.kill(),
  };
}

/** Tries again with another port when someone took the free one first. */
export async function startRedisProcess(
  args: readonly string[],
  fixedPort?: number,
): Promise<{ server: ServerProcess; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = fixedPort ?? (await freePort());
    try {
      const server = await startServerProcess({
        name: 'redis-server',
        command: serverExecutable('redis'),
        args: ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no', ...args],
        cwd: '/',
        isReady: () => answersPing(port),
      });
      return { server, port };
    } catch (error) {
      if (attempt === 3 || fixedPort !== undefined || !String(error).includes('listen')) throw error;
    }
  }
}

async function answersPing(port: number): Promise<boolean> {
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } finally {
    client.disconnect();
  }
}
