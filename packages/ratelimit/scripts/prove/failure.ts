import { connect, createServer, type Server, type Socket } from 'node:net';
import { createRateLimiter, type Decision, type RateLimiter } from '@weir/ratelimit';
import { freePort, type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { type Proof, rounded } from './report.ts';

const deadlineMs = 100;
const limit = 1000;
const share = 0.25;
const inFlight = 40;
const policies = [{ name: 'p', algorithm: 'fixed-window', limit, windowMs: 3_600_000 }] as const;

/** Limiters that meet a fault one after another: those who wait for one trip all hear at one moment, too few for a percentile. */
const storms = 5;

interface Row {
  readonly p99Ms: number;
  readonly worstMs: number;
  readonly admittedOfShare: number;
  /** Units that Redis debited and whose answer never came: decided locally too, once. */
  readonly answersLost: number;
  /** Units debited beyond one for every request that can have reached Redis. */
  readonly doubleCounts: number;
  readonly recoveryMs: number;
}

/** A TCP address in front of Redis whose target may change and whose replies may get lost. */
interface Forwarder {
  readonly port: number;
  drop(on: boolean): void;
  /** Ends all connections. */
  cut(): void;
  close(): void;
}

async function forwarder(target: () => number, port = 0): Promise<Forwarder> {
  let dropping = false;
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    const upstream = connect(target(), '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.on('data', (chunk) => void (dropping || client.write(chunk)));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as { port: number }).port,
    cut,
    drop: (on) => {
      dropping = on;
      // Replies lost mid-stream leave the client's parser waiting for the next call's: it must reconnect.
      if (!on) cut();
    },
    close: () => {
      cut();
      server.close();
    },
  };
}

function limiterOn(redis: Redis, name: string): RateLimiter {
  return createRateLimiter({ name, redis, policies, deadlineMs, onStoreError: { mode: 'local', share } });
}

/** Sends `count` decisions for one key, 40 at a time, and times each. */
async function storm(
  limiter: RateLimiter,
  count: number,
): Promise<{ times: number[]; decisions: Decision[] }> {
  const times: number[] = [];
  const decisions: Decision[] = [];
  let sent = 0;
  const worker = async (): Promise<void> => {
    while (sent++ < count) {
      const started = performance.now();
      decisions.push(await limiter.consume('k'));
      times.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return { times, decisions };
}

function spread(times: number[]): Pick<Row, 'p99Ms' | 'worstMs'> {
  times.sort((a, b) => a - b);
  return { p99Ms: times[Math.floor(times.length * 0.99)] as number, worstMs: times.at(-1) as number };
}

/** One fault: break it, storm, mend it, and look at what Redis counted for the key that was stormed. */
async function row(
  redis: Redis,
  name: string,
  fault: () => void | Promise<void>,
  mend: () => void | Promise<void>,
  countOf: () => Redis,
): Promise<Row> {
  const limiter = limiterOn(redis, name);
  const others = Array.from({ length: storms - 1 }, (_, index) => limiterOn(redis, `${name}-${index}`));
  for (const warm of [limiter, ...others])
    for (let tries = 0; tries < 200 && (await warm.consume('warm-up')).source !== 'redis'; tries++);
  await fault();
  const before: number[] = [];
  for (const other of others) before.push(...(await storm(other, 2000)).times);
  // Last, so that its recovery begins where its failures end.
  const { times, decisions } = await storm(limiter, 2000);
  times.push(...before);
  const local = decisions.filter((decision) => decision.source === 'local' && decision.allowed).length;
  const byRedis = decisions.filter((decision) => decision.source === 'redis' && decision.allowed).length;
  const mended = performance.now();
  await mend();
  while ((await limiter.consume('recovery')).source !== 'redis') {
    if (performance.now() - mended > 20_000) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const recoveryMs = performance.now() - mended;
  const reader = createRateLimiter({ name, redis: countOf(), policies, deadlineMs: 5000 });
  const errors = limiter.stats().redisErrors;
  const remaining = (await reader.peek('k')).policies[0]?.remaining ?? Number.NaN;
  return {
    ...spread(times),
    admittedOfShare: local / (share * limit),
    answersLost: limit - remaining - byRedis,
    doubleCounts: Math.max(0, limit - remaining - byRedis - errors * inFlight),
    recoveryMs,
  };
}

/** Every fault a row: held when the 99th percentile is within the deadline, nothing exceeds the share or counts twice. */
export async function proveFailure(): Promise<Proof> {
  const server: RedisServer = await startRedis();
  const quiet = (redis: Redis): Redis => {
    redis.on('error', () => {});
    return redis;
  };
  const direct = quiet(new Redis(server.url));
  const rows: Record<string, Row> = {};

  const proxy = await forwarder(() => server.port);
  const proxied = quiet(new Redis(proxy.port, '127.0.0.1', { retryStrategy: () => 50 }));
  rows['dropped replies'] = await row(
    proxied,
    'dropped',
    () => proxy.drop(true),
    () => proxy.drop(false),
    () => direct,
  );
  proxied.disconnect();

  rows['SIGSTOP mid-traffic'] = await row(
    direct,
    'stopped',
    () => server.pause(),
    () => server.resume(),
    () => direct,
  );
  rows['SCRIPT FLUSH'] = await row(
    direct,
    'flushed',
    () => void direct.script('FLUSH'),
    () => {},
    () => direct,
  );

  const refusedPort = await freePort();
  const refused = quiet(new Redis(refusedPort, '127.0.0.1', { retryStrategy: () => 50 }));
  let late: Forwarder | undefined;
  rows['refused port'] = await row(
    refused,
    'refused',
    () => {},
    async () => {
      late = await forwarder(() => server.port, refusedPort);
    },
    () => refused,
  ).finally(() => refused.disconnect());
  late?.close();

  const mute = createServer((socket) => void socket.on('error', () => {}));
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  const silent = quiet(
    new Redis((mute.address() as { port: number }).port, '127.0.0.1', { retryStrategy: null }),
  );
  const { times, decisions } = await storm(limiterOn(silent, 'silent'), 2000);
  for (let index = 1; index < storms; index++)
    times.push(...(await storm(limiterOn(silent, `silent-${index}`), 2000)).times);
  rows['silent socket'] = {
    ...spread(times),
    admittedOfShare: decisions.filter((decision) => decision.allowed).length / (share * limit),
    answersLost: 0,
    doubleCounts: 0,
    recoveryMs: Number.NaN,
  };
  silent.disconnect();
  mute.close();

  rows['failover to a replica'] = await failover(quiet);
  direct.disconnect();
  proxy.close();
  await server.stop();

  console.log(
    `\nfailure: deadline ${deadlineMs} ms, local share ${share} of ${limit}, ${storms} × 2000 decisions, 40 in flight`,
  );
  let held = true;
  const figures: Record<string, object> = {};
  for (const [name, row] of Object.entries(rows)) {
    const { p99Ms, worstMs, admittedOfShare, answersLost, doubleCounts, recoveryMs } = row;
    figures[name] = {
      p99Ms: rounded(p99Ms),
      worstMs: rounded(worstMs),
      admittedOfShare: rounded(admittedOfShare),
      doubleCounts,
      answersLost,
      recoveryMs: Number.isNaN(recoveryMs) ? null : Math.round(recoveryMs),
    };
    held &&= p99Ms <= deadlineMs && admittedOfShare <= 1 && doubleCounts <= 0;
    console.log(
      `  ${name.padEnd(22)} p99 ${p99Ms.toFixed(1).padStart(5)} ms (worst ${worstMs.toFixed(1)}), admitted ÷ share ${admittedOfShare.toFixed(2)}, double counts ${doubleCounts} (answers lost ${answersLost}), recovery ${recoveryMs.toFixed(0)} ms`,
    );
  }
  return { held, figures: { deadlineMs, share, limit, inFlight, faults: figures } };
}

/** The primary is killed, its replica promoted behind the same address, as a managed Redis does. */
async function failover(quiet: (redis: Redis) => Redis): Promise<Row> {
  const primary = await startRedis();
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(primary.port)] });
  let target = primary.port;
  const address = await forwarder(() => target);
  const admin = quiet(new Redis(replica.url));
  while (!/master_link_status:up/.test(await admin.info('replication')))
    await new Promise((r) => setTimeout(r, 50));
  const redis = quiet(new Redis(address.port, '127.0.0.1', { retryStrategy: () => 50 }));
  const result = await row(
    redis,
    'failover',
    () => primary.kill(),
    async () => {
      await admin.replicaof('NO', 'ONE');
      target = replica.port;
      address.cut();
    },
    () => redis,
  );
  redis.disconnect();
  admin.disconnect();
  address.close();
  await replica.stop();
  return result;
}
