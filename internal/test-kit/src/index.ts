export { type ChromiumPage, launchChromium } from './chromium.ts';
export {
  type EmbeddedPostgres,
  type StartEmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from './embedded-postgres.ts';
export { TestKitError } from './errors.ts';
export { findServer, type ServerName } from './find-server.ts';
export { freePort, isPortFree } from './free-port.ts';
export { type EnsureServersOptions, ensureServers } from './install-servers.ts';
export { createManualClock, type ManualClock } from './manual-clock.ts';
export { type MariadbServer, startMariadb } from './mariadb.ts';
export { type PostgresDatabase, startPostgres } from './postgres.ts';
export { promtool, type StartPrometheusOptions, startPrometheus } from './prometheus.ts';
export { type RedisServer, type StartRedisOptions, startRedis } from './redis.ts';
export { type RedisCluster, startRedisCluster } from './redis-cluster.ts';
export { type RedisSentinel, startRedisSentinel } from './redis-sentinel.ts';
export { seededRandom } from './seeded-random.ts';
export { run, type ServerProcess, type ServerProcessOptions, startServerProcess } from './server-process.ts';
export { type LockAttempt, tryLockFile, withLockFile } from './with-lock-file.ts';
