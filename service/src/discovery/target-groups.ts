import { readTarget } from '../config/build-config.ts';
import type { TargetConfig } from '../config/config.ts';

export interface TargetGroupDefaults {
  /** For groups without a label `job`. */
  readonly job: string;
  readonly scheme: 'http' | 'https';
  readonly path: string;
}

/**
 * The targets of a list as Prometheus' `file_sd` and `http_sd` have it: `[{ "targets": ["host:port"], "labels": {} }]`, where
 * the labels `job`, `__scheme__` and `__metrics_path__` win over the defaults and other labels in `__` go. What is wrong goes
 * to `mistakes`, a line each.
 */
export function readTargetGroups(
  content: unknown,
  defaults: TargetGroupDefaults,
  mistakes: string[],
): TargetConfig[] {
  if (!Array.isArray(content)) {
    mistakes.push('expected a list of { targets, labels }.');
    return [];
  }
  return content.flatMap((group: { targets?: unknown; labels?: unknown } | null, at) => {
    if (!Array.isArray(group?.targets)) {
      mistakes.push(`[${at}]: expected \`targets\` to be a list.`);
      return [];
    }
    const given = Object.entries((group.labels ?? {}) as object).map(([name, value]): [string, string] => [
      name,
      String(value),
    ]);
    const all = new Map(given);
    const wrong = given.find(([name]) => !/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name));
    if (wrong !== undefined) {
      mistakes.push(`[${at}].labels: ${JSON.stringify(wrong[0])} is no label name.`);
      return [];
    }
    const labels = Object.fromEntries(given.filter(([name]) => !name.startsWith('__') && name !== 'job'));
    const job = all.get('job') ?? defaults.job;
    const scheme = all.get('__scheme__') ?? defaults.scheme;
    const path = all.get('__metrics_path__') ?? defaults.path;
    return group.targets.flatMap((address: unknown, index) => {
      const where = `[${at}].targets[${index}]`;
      if (typeof address !== 'string' || !/^[^/\s@?#]+$/.test(address)) {
        mistakes.push(`${where}: expected host:port, got ${JSON.stringify(address)}.`);
        return [];
      }
      const url = `${scheme}://${address}${path.startsWith('/') ? '' : '/'}${path}`;
      return readTarget({ job, url, labels }, where, mistakes) ?? [];
    });
  });
}
