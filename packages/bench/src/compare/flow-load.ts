import { compileFlows } from '../flow/compile-flows.ts';
import { FlowReport } from '../flow/flow-report.ts';
import { runFlows } from '../flow/run-flows.ts';
import type { LoadOptions } from '../load-options.ts';
import type { ResolvedScenario } from '../scenario.ts';

/** Loads one build with sessions. @returns how many of their checks failed in the measured time */
export type FlowLoad = (options: LoadOptions) => Promise<number>;

/** Reads the feeds, before the clock of any load starts. */
export function prepareFlowLoad(scenario: ResolvedScenario): FlowLoad {
  const mix = compileFlows(scenario);
  return async (options) => {
    const report = new FlowReport();
    await runFlows({ ...options, mix, report });
    return report.checks().failed;
  };
}
