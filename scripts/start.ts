import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { onRunnerGone } from './package-runner.ts';
import { type System, SystemError, startSystem } from './system.ts';

// The main job: PostgreSQL, the shop, the service and gentle traffic, until Ctrl-C. Arguments: [--config weir.config.json].
// PORT and SHOP_PORT change the ports, WEIR_STATE the directory of data and logs; DATABASE_URL and REDIS_URL go to the shop.

const root = resolve(import.meta.dirname, '..');
let system: System | undefined;
let ending = false;

/** Ends every part, then this process; what is still starting ends with this process. */
async function end(code: number): Promise<never> {
  ending = true;
  await system?.stop();
  process.exit(code);
}

function endOn(reason: string): void {
  // A second signal means: now.
  if (ending) process.exit(1);
  console.log(`weir: ends on ${reason}`);
  void end(0);
}

function fail(reason: string): Promise<never> {
  console.error(`weir: ${reason}`);
  return end(1);
}

process.on('SIGINT', endOn);
process.on('SIGTERM', endOn);
process.on('SIGHUP', endOn);
onRunnerGone(() => {
  if (!ending) endOn('the end of what started it');
});

/** Gives the history its first run; a failure to do so is no reason to end. */
async function runFirstBenchmark(serviceUrl: string): Promise<void> {
  const response = await fetch(`${serviceUrl}/benchmarks`);
  const benchmarks = (await response.json()) as { name: string; lastRun: unknown; running: unknown }[];
  const [first] = benchmarks;
  if (first === undefined || benchmarks.some(({ lastRun, running }) => lastRun !== null || running !== null))
    return;
  await fetch(`${serviceUrl}/benchmarks/${encodeURIComponent(first.name)}/runs`, { method: 'POST' });
}

try {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  system = await startSystem({
    configPath: resolve(values.config ?? resolve(root, 'weir.config.json')),
    stateDirectory: resolve(process.env.WEIR_STATE || resolve(root, '.weir')),
    env: process.env,
  });
  if (!ending) {
    console.log(`Weir is ready: ${system.serviceUrl} shows the shop at ${system.shopUrl}. Ctrl-C ends both.`);
    runFirstBenchmark(system.serviceUrl).catch((error: unknown) =>
      console.error(`weir: no first benchmark: ${error}`),
    );
    const reason = await system.failed;
    if (!ending) await fail(reason);
  }
} catch (error) {
  if (!ending) await fail(error instanceof SystemError ? error.message : String(error));
}
