import { FlowReport } from '../flow/flow-report.ts';
import { runFlows } from '../flow/run-flows.ts';
import type { LoadOptions } from '../load-options.ts';

/** Loads one build with sessions. @returns how many of their checks failed in the measured time */
export async function runFlowLoad(options: LoadOptions): Promise<number> {
  const report = new FlowReport();
  await runFlows({ ...options, report });
  return report.checks().failed;
}
