import { ShopError } from './errors.ts';

export interface ShopConfig {
  readonly host: string;
  readonly port: number;
  /** `undefined`: the shop brings its own PostgreSQL. */
  readonly databaseUrl: string | undefined;
  /** `undefined`: cache and limits live in this process alone. */
  readonly redisUrl: string | undefined;
  /** Where limits are counted; `undefined`: where the cache is. */
  readonly limitsRedisUrl: string | undefined;
  /** A defect of this build, for benchmarks that should find it. */
  readonly flaw: 'uncached' | undefined;
  /** Where the shop's own PostgreSQL keeps its data. */
  readonly stateDirectory: string;
  readonly logLevel: string;
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/**
 * Reads HOST (default 127.0.0.1), PORT (4041; 0 lets the system choose), DATABASE_URL, REDIS_URL, RATE_LIMIT_REDIS_URL (REDIS_URL),
 * SHOP_FLAW (`uncached` asks the database for every page), WEIR_STATE (`.weir`) and LOG_LEVEL (`info`). An empty variable counts as unset. Throws `ERR_WEIR_SHOP_CONFIG` for the first one that makes no sense.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): ShopConfig {
  const read = (name: string) => (env[name] === '' ? undefined : env[name]);
  const logLevel = read('LOG_LEVEL') ?? 'info';
  if (!logLevels.includes(logLevel)) {
    throw new ShopError(
      'ERR_WEIR_SHOP_CONFIG',
      'LOG_LEVEL',
      `one of ${logLevels.join(', ')}, got \`${logLevel}\`.`,
    );
  }
  const flaw = read('SHOP_FLAW');
  if (flaw !== undefined && flaw !== 'uncached') {
    throw new ShopError('ERR_WEIR_SHOP_CONFIG', 'SHOP_FLAW', `\`uncached\` or unset, got \`${flaw}\`.`);
  }
  return Object.freeze({
    host: read('HOST') ?? '127.0.0.1',
    port: readPort(read('PORT') ?? '4041'),
    databaseUrl: readUrl('DATABASE_URL', read('DATABASE_URL'), ['postgres:', 'postgresql:']),
    redisUrl: readUrl('REDIS_URL', read('REDIS_URL'), ['redis:', 'rediss:']),
    limitsRedisUrl: readUrl('RATE_LIMIT_REDIS_URL', read('RATE_LIMIT_REDIS_URL'), ['redis:', 'rediss:']),
    flaw,
    stateDirectory: read('WEIR_STATE') ?? '.weir',
    logLevel,
  });
}

function readPort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new ShopError('ERR_WEIR_SHOP_CONFIG', 'PORT', `an integer from 0 to 65535, got \`${text}\`.`);
}

function readUrl(name: string, text: string | undefined, protocols: readonly string[]): string | undefined {
  if (text === undefined || (URL.canParse(text) && protocols.includes(new URL(text).protocol))) return text;
  // The value is not repeated: it may hold a password.
  throw new ShopError('ERR_WEIR_SHOP_CONFIG', name, `a URL that starts with ${protocols.join('// or ')}//.`);
}
