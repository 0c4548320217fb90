import { createWriteStream, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  isPortFree,
  type ServerProcess,
  startEmbeddedPostgres,
  startServerProcess,
  tryLockFile,
} from '@weir/test-kit';

export interface SystemOptions {
  /** Of the service. */
  configPath: string;
  /** Holds PostgreSQL's data, the logs and a lock that keeps a second system away. */
  stateDirectory: string;
  /** PORT overrides the service's port, SHOP_PORT (4041) is the shop's; DATABASE_URL and REDIS_URL go to the shop. */
  env: NodeJS.ProcessEnv;
}

export interface System {
  readonly serviceUrl: string;
  readonly shopUrl: string;
  /** Resolves with a sentence when a part has ended by itself; pends as long as all run. */
  readonly failed: Promise<string>;
  /** Ends every part, politely and then not, in under 5 s. Idempotent. */
  stop(): Promise<void>;
}

/** What keeps the system from starting, in one line. */
export class SystemError extends Error {}

const root = resolve(import.meta.dirname, '..');
/** Run from source, everything runs from source; run after a build, the build runs. */
const isSource = process.execArgv.some((argument) => argument.includes('@weir/source'));

const entry = (directory: string, name: string) =>
  join(root, directory, isSource ? `src/${name}.ts` : `dist/${name}.js`);

/** Before anything starts, so that a taken port costs no wait. What is wrong with the configuration, the service says best. */
async function checkPorts(configPath: string, env: NodeJS.ProcessEnv): Promise<void> {
  let configured: number | undefined;
  try {
    const config = JSON.parse(readFileSync(configPath, 'utf8')) as { listen?: { port?: number } };
    configured = config.listen?.port;
  } catch {
    // Left to the service.
  }
  const ports = { PORT: env.PORT || (configured ?? 4040), SHOP_PORT: env.SHOP_PORT || 4041 };
  for (const [variable, value] of Object.entries(ports)) {
    const port = Number(value);
    if (!Number.isInteger(port) || port < 0 || port > 65_535) continue;
    if (!(await isPortFree(port))) {
      throw new SystemError(
        `Port ${port} is in use. Set ${variable} to another one, or end the process that holds it.`,
      );
    }
  }
}

/**
 * Starts PostgreSQL (unless DATABASE_URL is set), the shop, the service and the traffic, one after the other, and resolves
 * when all answer. Their output goes to `logs/` in the state directory.
 */
export async function startSystem({ configPath, stateDirectory, env }: SystemOptions): Promise<System> {
  if (!existsSync(configPath)) {
    throw new SystemError(`No configuration at ${configPath}. Create it, or name another with --config.`);
  }
  await checkPorts(configPath, env);
  const logs = join(stateDirectory, 'logs');
  mkdirSync(logs, { recursive: true });
  const attempt = tryLockFile(join(stateDirectory, 'start.lock'));
  if (!attempt.locked) {
    throw new SystemError(
      `Process ${attempt.holder} runs on ${stateDirectory} already. End it first, or set WEIR_STATE.`,
    );
  }

  const { release } = attempt;
  // Servers of the test kit don't keep a process alive; the system is meant to.
  const keepAlive = setInterval(() => {}, 3_600_000);
  const parts: ServerProcess[] = [];
  let reportFailure: (reason: string) => void = () => {};
  const failed = new Promise<string>((resolveFailed) => {
    reportFailure = resolveFailed;
  });
  let postgres: Awaited<ReturnType<typeof startEmbeddedPostgres>> | undefined;
  let stopping: Promise<void> | undefined;

  async function run(
    name: string,
    script: string,
    args: string[],
    more: NodeJS.ProcessEnv,
    ready: RegExp,
  ): Promise<string> {
    const log = createWriteStream(join(logs, `${name}.log`));
    let text = '';
    const part = await startServerProcess({
      name: `the ${name}`,
      command: process.execPath,
      args: [...process.execArgv, script, ...args],
      cwd: root,
      env: { ...env, ...more },
      stopTimeoutMs: 3000,
      readyTimeoutMs: 120_000,
      isReady: async () => ready.test(text),
      onOutput: (chunk) => {
        log.write(chunk);
        if (text.length < 10_000) text += chunk;
      },
    });
    parts.push(part);
    void part.exited.then(() =>
      reportFailure(`the ${name} has ended by itself; see ${join(logs, `${name}.log`)}`),
    );
    return ready.exec(text)?.[1] ?? '';
  }

  function stop(): Promise<void> {
    stopping ??= (async () => {
      await Promise.all(parts.map((part) => part.stop()));
      await postgres?.stop();
      release();
      clearInterval(keepAlive);
    })();
    return stopping;
  }

  try {
    if (!env.DATABASE_URL) {
      const log = createWriteStream(join(logs, 'postgres.log'));
      postgres = await startEmbeddedPostgres({
        directory: join(stateDirectory, 'postgres'),
        stopTimeoutMs: 1000,
        onOutput: (chunk) => log.write(chunk),
      });
      void postgres.exited.then(() =>
        reportFailure(`PostgreSQL has ended by itself; see ${join(logs, 'postgres.log')}`),
      );
    }
    const shopUrl = await run(
      'shop',
      entry('examples/shop', 'main'),
      [],
      { PORT: env.SHOP_PORT || '4041', DATABASE_URL: env.DATABASE_URL || postgres?.url },
      /shop listens on (\S+)/,
    );
    const serviceUrl = await run(
      'service',
      entry('service', 'main'),
      ['--config', configPath],
      {},
      /Weir is ready on (\S+)/,
    );
    await run('traffic', entry('examples/shop', 'traffic-main'), [shopUrl], {}, /(?:)/);
    return { serviceUrl, shopUrl, failed, stop };
  } catch (error) {
    await stop();
    if (!(error instanceof Error) || !('code' in error)) throw error;
    throw new SystemError(error.message, { cause: error });
  }
}
