import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findServer, freePort, promtool, startServerProcess } from '@weir/test-kit';
import { parseNumber } from '../conformance/series-description.ts';

/** A result in the form both engines are brought to: values by series and time, or an error. */
export type Answer =
  | { readonly kind: 'error'; readonly message: string }
  | { readonly kind: 'values'; readonly values: ReadonlyMap<string, number> };

export interface RealPrometheus {
  instant(query: string, timeMs: number): Promise<Answer>;
  range(query: string, range: { startMs: number; endMs: number; stepMs: number }): Promise<Answer>;
  stop(): Promise<void>;
}

interface ApiAnswer {
  readonly status: 'success' | 'error';
  readonly error?: string;
  readonly data?: { readonly resultType: string; readonly result: unknown };
}

interface ApiSeries {
  readonly metric: Record<string, string>;
  readonly value?: [number, string];
  readonly values?: [number, string][];
}

/** Starts a Prometheus that holds just these samples and scrapes nothing. */
export async function startPrometheusWith(openMetrics: string): Promise<RealPrometheus> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-promql-'));
  try {
    writeFileSync(join(directory, 'data.txt'), openMetrics);
    writeFileSync(join(directory, 'prometheus.yml'), '{"global":{"evaluation_interval":"1m"}}');
    const made = await promtool(['tsdb', 'create-blocks-from', 'openmetrics', 'data.txt', 'data'], {
      cwd: directory,
    });
    if (made.code !== 0) throw new Error(`promtool could not build the data: ${made.stderr}`);
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const server = await startServerProcess({
      name: 'prometheus',
      command: executable(),
      args: [
        '--config.file=prometheus.yml',
        '--storage.tsdb.path=data',
        '--storage.tsdb.retention.time=100y',
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=warn',
      ],
      cwd: directory,
      isReady: async () => (await fetch(`${url}/-/ready`)).ok,
    });
    return {
      instant: (query, timeMs) => ask(`${url}/api/v1/query`, { query, time: String(timeMs / 1000) }),
      range: (query, { startMs, endMs, stepMs }) =>
        ask(`${url}/api/v1/query_range`, {
          query,
          start: String(startMs / 1000),
          end: String(endMs / 1000),
          step: String(stepMs / 1000),
        }),
      async stop() {
        await server.kill();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

function executable(): string {
  const found = findServer('prometheus')?.[0];
  if (found === undefined) throw new Error('Expected `prometheus` on PATH. Install it to run this proof.');
  return found;
}

async function ask(url: string, parameters: Record<string, string>): Promise<Answer> {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(parameters) });
  const answer = (await response.json()) as ApiAnswer;
  if (answer.status === 'error') return { kind: 'error', message: answer.error ?? '' };
  const values = new Map<string, number>();
  const { resultType, result } = answer.data as NonNullable<ApiAnswer['data']>;
  if (resultType === 'scalar') {
    const [time, value] = result as [number, string];
    values.set(pointKey({}, time * 1000), parseNumber(value));
    return { kind: 'values', values };
  }
  for (const { metric, value, values: points } of result as ApiSeries[])
    for (const [time, text] of points ?? (value === undefined ? [] : [value]))
      values.set(pointKey(metric, time * 1000), parseNumber(text));
  return { kind: 'values', values };
}

/** What a value of an answer is known by. */
export function pointKey(labels: Readonly<Record<string, string>>, timeMs: number): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${JSON.stringify(sorted)} ${Math.round(timeMs)}`;
}
