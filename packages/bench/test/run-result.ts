import type { BenchmarkResult } from '../src/index.ts';

/** A sound result of a closed loop with `perSecond` answers a second. */
export function runResult(
  name: string,
  perSecond: number,
  overrides: Partial<BenchmarkResult> = {},
): BenchmarkResult {
  const latency = { min: 0.1, mean: 0.5, p50: 0.4, p90: 0.9, p95: 1.1, p99: 2, p999: 3, max: 4 };
  return {
    schemaVersion: 1,
    name,
    target: 'http://127.0.0.1:4041',
    startedAt: '2026-02-01T10:00:00.000Z',
    durationMs: 1_000,
    partial: false,
    load: { mode: 'closed', connections: 10, pipelining: 1 },
    requests: { total: perSecond, ok: perSecond, non2xx: 0, errors: 0, timeouts: 0, perSecond },
    latencyMs: latency,
    statusCodes: { 200: perSecond },
    failures: {},
    objectives: [],
    doubts: [],
    bytesPerSecond: perSecond * 100,
    timeline: [],
    environment: { node: '24.0.0', platform: 'linux', arch: 'x64', cpu: 'test', cores: 2, commit: 'c0ffee' },
    ...overrides,
  };
}
