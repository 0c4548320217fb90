import { stringify } from 'yaml';
import type { Settings } from '../customise.ts';
import { ruleGroups } from '../rules/index.ts';

/** The rules as a file that Prometheus, `promtool` and the service read. */
export function renderRules(settings: Settings): string {
  return stringify({ groups: ruleGroups(settings) }, { lineWidth: 0, aliasDuplicateObjects: false });
}
