import { inspect } from 'node:util';
import { createCache, deleteSubject } from '../cache.ts';
import { busKey, splitBusKey } from '../names.ts';
import { decode, type Envelope } from '../values/envelope.ts';

export interface CliOptions {
  readonly url: string;
  readonly cache: string;
  readonly version: string;
  readonly prefix: string;
  readonly match: string;
  readonly limit: number;
  readonly json: boolean;
  readonly yes: boolean;
}

type Client = Awaited<ReturnType<typeof connect>>;
type Print = (line: string) => void;

const codec = { compressFromBytes: Number.POSITIVE_INFINITY, maxExpandedBytes: 64 * 2 ** 20 };

/** Runs one command against Redis and resolves with the exit code. */
export async function runCommand(
  command: string,
  operands: readonly string[],
  options: CliOptions,
  print: Print,
): Promise<number> {
  const redis = await connect(options.url);
  const base = `${options.prefix}:${options.cache}@${options.version}:`;
  try {
    switch (command) {
      case 'inspect':
        return await inspectEntries(redis, base, options, print);
      case 'get':
        return await getEntry(redis, base, operandOf(operands), options, print);
      case 'del':
        return await deleteEntry(redis, base, operandOf(operands), options, print);
      case 'tags':
        return operands.length === 0
          ? await listTags(redis, base, options, print)
          : await invalidateTags(redis, operands, options, print);
      default:
        throw new CliError(`Unknown command \`${command}\`.\n\n${usage}`, exitCodes.usage);
    }
  } finally {
    redis.disconnect();
  }
}

async function connect(url: string) {
  const { Redis } = await import('ioredis').catch(() => {
    throw new CliError('Cannot import `ioredis`. Install it beside `@weir/cache`.', exitCodes.failed);
  });
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 1 });
  redis.on('error', () => {});
  await redis.connect().catch((error: Error) => {
    throw new CliError(`Cannot reach Redis (${error.message}). Is \`--url\` right?`, exitCodes.failed);
  });
  return redis;
}

function operandOf(operands: readonly string[]): string {
  const [operand] = operands;
  if (operand === undefined || !operand.includes(':')) {
    throw new CliError('Expected one operand `namespace:key`; ad-hoc keys are `~:key`.', exitCodes.usage);
  }
  return operand.startsWith('"') ? unquoted(operand) : operand;
}

/** A name on one line of a terminal: with characters that would break or change the line escaped, as JSON does it. */
function quoted(name: string): string {
  if (!/[\p{Cc}\u2028\u2029]|^"/u.test(name)) return name;
  return JSON.stringify(name).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function unquoted(operand: string): string {
  try {
    return String(JSON.parse(operand));
  } catch {
    throw new CliError(
      `Expected a name in double quotes to be a JSON string, got \`${operand}\`.`,
      exitCodes.usage,
    );
  }
}

/**
 * The name in Redis of what an operand means: a name as `inspect` prints it, which holds the hash of a long key; or else a
 * namespace and a key.
 */
async function subjectOf(redis: Client, base: string, operand: string): Promise<string> {
  const { namespace, suffix } = splitBusKey(operand);
  const subject = busKey(namespace, suffix);
  if (subject === operand) return subject;
  return (await redis.exists(`${base}e:{${operand}}`)) === 1 ? operand : subject;
}

/** At most `limit` names between `start` and `}`, never blocking the server as KEYS would. */
async function scan(redis: Client, start: string, { match, limit }: CliOptions): Promise<string[]> {
  const names: string[] = [];
  const escaped = start.replace(/[*?[\]\\]/g, '\\$&');
  for await (const keys of redis.scanStream({ match: `${escaped}${match}}`, count: 500 })) {
    for (const key of new Set(keys as string[])) names.push(key.slice(start.length, -1));
    if (names.length >= limit) break;
  }
  return names.slice(0, limit).sort();
}

async function inspectEntries(
  redis: Client,
  base: string,
  options: CliOptions,
  print: Print,
): Promise<number> {
  for (const name of await scan(redis, `${base}e:{`, options)) {
    const key = `${base}e:{${name}}`;
    const [ttlMs, bytes] = await Promise.all([redis.pttl(key), redis.strlen(key)]);
    if (options.json) print(JSON.stringify({ key: name, ttlMs, bytes }));
    else print(`${quoted(name)}  ${ttlMs < 0 ? 'no expiry' : `${Math.ceil(ttlMs / 1000)} s`}  ${bytes} B`);
  }
  return exitCodes.ok;
}

async function getEntry(
  redis: Client,
  base: string,
  operand: string,
  options: CliOptions,
  print: Print,
): Promise<number> {
  const key = `${base}e:{${await subjectOf(redis, base, operand)}}`;
  const [bytes, ttlMs] = await Promise.all([redis.getBuffer(key), redis.pttl(key)]);
  if (bytes === null) {
    print(`No entry \`${quoted(operand)}\`.`);
    return exitCodes.notFound;
  }
  const { value, ...rest }: Envelope = decode(bytes, codec);
  const facts = { ttlMs, freshMs: rest.freshMs, staleMs: rest.staleMs, loadMs: rest.loadMs, tags: rest.tags };
  if (options.json) print(JSON.stringify({ key: operand, ...facts, value: inspect(value, { depth: 20 }) }));
  else print(`${inspect(facts)}\n${inspect(value, { depth: 20 })}`);
  return exitCodes.ok;
}

// Through the cache itself, so that leases die and every instance is told.
async function withCache<T>(
  redis: Client,
  options: CliOptions,
  body: (cache: ReturnType<typeof createCache>) => Promise<T>,
) {
  const { cache: name, version } = options;
  // What the cache's client puts before its keys is part of the prefix as Redis sees it.
  const [, keyPrefix = '', prefix] = /^(.*?)([A-Za-z0-9_.-]{1,64})$/s.exec(options.prefix) ?? [];
  if (prefix === undefined) {
    const message = `Expected \`--prefix\` to end in the \`l2.prefix\` of the cache, got \`${options.prefix}\`.`;
    throw new CliError(message, exitCodes.usage);
  }
  const client = redis.duplicate({ keyPrefix });
  client.on('error', () => {});
  const l2 = { prefix, deadlineMs: 5_000, coherence: 'bus' } as const;
  const cache = createCache({ name, redis: client, version, l2 });
  try {
    await client.connect();
    await cache.ready();
    return await body(cache);
  } finally {
    await cache.close();
    client.disconnect();
  }
}

async function deleteEntry(
  redis: Client,
  base: string,
  operand: string,
  options: CliOptions,
  print: Print,
): Promise<number> {
  const subject = await subjectOf(redis, base, operand);
  const name = quoted(operand);
  return await withCache(redis, options, async (cache) => {
    const isThere = (await redis.exists(`${base}e:{${subject}}`)) === 1;
    // Without an entry too: instances may hold a value that has no form in Redis.
    const isDone = await deleteSubject(cache, subject);
    if (!isThere) print(`No entry \`${name}\` in Redis; instances dropped what they held in memory.`);
    else if (isDone) print(`Deleted \`${name}\` everywhere.`);
    else print(`Deleted \`${name}\`; not every instance confirmed.`);
    if (!isDone) return exitCodes.failed;
    return isThere ? exitCodes.ok : exitCodes.notFound;
  });
}

async function listTags(redis: Client, base: string, options: CliOptions, print: Print): Promise<number> {
  const start = `${base}t:{t`;
  for (const tag of await scan(redis, start, options)) {
    const version = await redis.get(`${start}${tag}}`);
    print(options.json ? JSON.stringify({ tag, version }) : `${quoted(tag)}  ${version}`);
  }
  return exitCodes.ok;
}

async function invalidateTags(
  redis: Client,
  tags: readonly string[],
  options: CliOptions,
  print: Print,
): Promise<number> {
  if (!options.yes)
    throw new CliError('This makes every entry of these tags a miss. Add `--yes`.', exitCodes.usage);
  return await withCache(redis, options, async (cache) => {
    const isDone = await cache.invalidateTags(tags);
    print(isDone ? `Invalidated ${tags.length} tag(s).` : 'Invalidated; not every instance confirmed.');
    return isDone ? exitCodes.ok : exitCodes.failed;
  });
}

/** What the process ends with: scripts may rely on them. */
export const exitCodes: { readonly ok: 0; readonly failed: 1; readonly notFound: 2; readonly usage: 64 } = {
  ok: 0,
  failed: 1,
  notFound: 2,
  usage: 64,
};

export const usage: string = `Usage: weir-cache <command> --cache <name> [options]

  inspect             entries with their life and size, found by SCAN
  get <namespace:key> one entry, decoded; ad-hoc keys have the namespace ~
  del <namespace:key> removes one entry; every instance drops it. \`get\` and \`del\`
                      take names as \`inspect\` prints them, hashes and quotes too
  tags                tags with their versions
  tags <tag>...       invalidates them; needs --yes

  --url <url>         default: REDIS_URL, else redis://127.0.0.1:6379
  --match <glob>      of namespace:key or tag, default *
  --limit <n>         default 100
  --version <v>       of the cache, default 1
  --prefix <p>        of keys, a client's key prefix included; default weir
  --json              one JSON object a line

Ends with 0, 1 (failed), 2 (no such entry) or 64 (usage).`;

/** A failure that says all there is to say: printed without a stack. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}
