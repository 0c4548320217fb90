import type { Culprit } from '../profile/culprits.ts';
import type { ProfileResult } from '../profile/profile-builds.ts';

/** What reports tell of a profile. */
export type ProfileSummary = Pick<ProfileResult, 'functions' | 'lines' | 'unit'>;

/** How many functions, and how many lines, a report names. */
export const namedCulprits = 5;

/** Functions, then lines, then who calls the first function and what it calls, as plain text. */
export function renderCulprits({ functions, lines, unit }: ProfileSummary): string {
  const line = (culprit: Culprit): string =>
    `  ${added(culprit, unit)} a request  ${culprit.name}  (${culprit.baseUs.toFixed(2)} → ${culprit.headUs.toFixed(2)})\n`;
  const list = (culprits: readonly Culprit[]): string => culprits.slice(0, namedCulprits).map(line).join('');
  if (functions.length === 0 && lines.length === 0) return 'no function takes more in every duet\n';
  const [first] = functions;
  const callers = first?.path?.slice(-6, -1) ?? [];
  const callees = first?.callees ?? [];
  return [
    functions.length === 0 ? '' : `takes more in head:\n${list(functions)}`,
    callers.length === 0 ? '' : `the first is called by ${callers.join(' > ')}\n`,
    callees.length === 0 ? '' : `the first calls ${callees.join(', ')}, which take more too\n`,
    lines.length === 0 ? '' : `lines:\n${list(lines)}`,
  ].join('');
}

/** `+1.23 µs`. */
export function added({ deltaUs }: Culprit, unit: ProfileSummary['unit']): string {
  return `+${deltaUs.toFixed(2)} ${unit}`;
}
