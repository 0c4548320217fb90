import type { Settings } from './settings.ts';

/**
 * PromQL, a legend or an alert's text with the settings' labels in place of `job` and `instance`. Variables
 * (`$job`) and names of recorded series (`job:…`) keep their names.
 */
export function relabel(
  text: string,
  { jobLabel, instanceLabel }: Pick<Settings, 'jobLabel' | 'instanceLabel'>,
): string {
  const names: Readonly<Record<string, string>> = { job: jobLabel, instance: instanceLabel };
  return text
    .replace(/(?<![$\w:".])(job|instance)(?![\w:"-])/g, (name) => names[name] ?? name)
    .replace(/(\$labels\.)(job|instance)\b/g, (_, before: string, name: string) => before + names[name]);
}
