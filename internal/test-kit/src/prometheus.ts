import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from './free-port.ts';
import { serverExecutable } from './install-servers.ts';
import { run, startServerProcess } from './server-process.ts';

export interface StartPrometheusOptions {
  /** `address` is `host:port`; `/metrics` is scraped there. */
  targets: { job: string; address: string; labels?: Record<string, string> }[];
  /** Of scrapes and of rule evaluations; a Prometheus duration. Default `1s`. */
  scrapeInterval?: string;
  /** Appended to the command line. */
  args?: string[];
  /** Paths of rule files. */
  rules?: string[];
}

/** An own Prometheus on 127.0.0.1 with its data in a temporary directory, which goes with it. */
export async function startPrometheus(
  options: StartPrometheusOptions,
): Promise<{ url: string; pid: number; stop(): Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-prometheus-'));
  const configuration = join(directory, 'prometheus.yml');
  // JSON is YAML.
  writeFileSync(configuration, JSON.stringify(configurationOf(options)));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  try {
    const server = await startServerProcess({
      name: 'prometheus',
      command: serverExecutable('prometheus'),
      args: [
        `--config.file=${configuration}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--web.enable-lifecycle',
        '--log.level=warn',
        ...(options.args ?? []),
      ],
      cwd: directory,
      isReady: async () => (await fetch(`${url}/-/ready`)).ok,
    });
    return {
      url,
      pid: server.pid,
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

function configurationOf(options: StartPrometheusOptions): object {
  const interval = options.scrapeInterval ?? '1s';
  const jobs = Map.groupBy(options.targets, (target) => target.job);
  return {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: (options.rules ?? []).map((file) => resolve(file)),
    scrape_configs: [...jobs].map(([job, targets]) => ({
      job_name: job,
      static_configs: targets.map((target) => ({ targets: [target.address], labels: target.labels ?? {} })),
    })),
  };
}

/** Runs `promtool` to its end; a non-zero `code` is a result, not an error. */
export function promtool(
  args: string[],
  options: { cwd?: string; input?: string } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return run(serverExecutable('prometheus', 1), args, options);
}
