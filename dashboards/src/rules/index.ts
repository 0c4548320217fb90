import { objectives } from './objectives.ts';
import { packages } from './packages.ts';
import type { RuleGroup } from './rule.ts';
import { processes } from './runtime.ts';

/** Every rule, in the order of the file. */
export const ruleGroups: readonly RuleGroup[] = [...objectives, ...packages, ...processes];
