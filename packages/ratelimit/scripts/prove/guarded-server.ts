import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { peer } from './report.ts';

/** The server under load, in a process of its own. */
export interface GuardedServer {
  readonly port: number;
  /** Makes the service take about so long from now on. */
  slow(serviceMs: number): Promise<void>;
  /** The learnt limit; null where none is. */
  limit(): Promise<number | null>;
  /** Resolves when nothing is left of earlier load, or after 20 s. */
  idle(): Promise<void>;
  stop(): void;
}

/** Starts one behind `guard`: vegas, gradient2, aimd, under-pressure or nothing. */
export async function startGuarded(guard: string): Promise<GuardedServer> {
  const child: ChildProcess = fork(
    join(import.meta.dirname, '../overload-process.ts'),
    [guard, peer('@fastify/under-pressure')],
    { execArgv: ['--conditions=@weir/source'] },
  );
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(message as number));
    child.once('exit', () => reject(new Error('The server ended.')));
  });
  const ask = async (message: object): Promise<{ waiting: number; limit: number | null }> => {
    const answer = once(child, 'message');
    child.send(message);
    return (await answer)[0];
  };
  return {
    port,
    slow: async (serviceMs) => void (await ask({ serviceMs })),
    limit: async () => (await ask({})).limit,
    idle: async () => {
      const until = performance.now() + 20_000;
      while (performance.now() < until && (await ask({})).waiting > 0)
        await new Promise((resolve) => setTimeout(resolve, 50));
    },
    stop: () => void child.kill('SIGKILL'),
  };
}
