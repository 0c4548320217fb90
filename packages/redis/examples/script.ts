import { createScript, linkOf, RedisCalls } from '@weir/redis';
import { Redis } from 'ioredis';

const client = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
const link = linkOf(client); // a node-redis client serves as well

const double = createScript('double', "return redis.call('GET', KEYS[1]) * 2");
const calls = new RedisCalls({
  link,
  deadlineMs: 1_000,
  breaker: { failures: 3, openMs: 250 },
  withoutConnection: 'reject',
  clock: { now: () => performance.now() },
  onOutcome: (operation, _durationMs, outcome) => console.log(operation, outcome),
});

await calls.command('write', 'SET', ['answer'], ['21']);
console.log(await calls.script('double', double, ['answer'], []));
await calls
  .command('write', 'LPUSH', ['answer'], ['x'])
  .catch((error) => console.log(error.code, error.reply));
client.disconnect();
