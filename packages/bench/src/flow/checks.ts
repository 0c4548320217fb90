import type { Answer } from '../dispatcher.ts';
import type { SaveSource, StepCheck } from './flow.ts';
import { readPath } from './template.ts';

/** What is wrong with an answer, by the check that says so; `undefined` when nothing is. */
export function failedCheck(check: StepCheck, answer: Answer): string | undefined {
  const { status } = answer.head;
  const expected = check.status;
  const fits =
    expected === undefined
      ? status >= 200 && status < 400
      : typeof expected === 'number'
        ? status === expected
        : expected.includes(status);
  if (!fits) return `status ${status}`;
  if (check.maxMs !== undefined && answer.latencyMs > check.maxMs) return `slower than ${check.maxMs} ms`;
  if (check.contains !== undefined && !answer.body.includes(check.contains))
    return `body without ${JSON.stringify(check.contains)}`;
  if (check.json === undefined) return undefined;
  const body = parseBody(answer);
  for (const [path, value] of Object.entries(check.json)) {
    if (readPath(body, path) !== value) return `json ${path} is not ${JSON.stringify(value)}`;
  }
  return undefined;
}

/** Takes a value from an answer; `undefined` when it is not there. */
export function readSaved(source: SaveSource, answer: Answer): unknown {
  if ('json' in source) return readPath(parseBody(answer), source.json) ?? undefined;
  if ('header' in source) return readHeader(answer.head.text, source.header);
  const match = new RegExp(source.regex).exec(answer.body.toString('utf8'));
  return match?.[1] ?? match?.[0];
}

function readHeader(head: string, name: string): string | undefined {
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    if (line.slice(0, colon).toLowerCase() === name.toLowerCase()) return line.slice(colon + 1).trim();
  }
  return undefined;
}

function parseBody(answer: Answer): unknown {
  try {
    return JSON.parse(answer.body.toString('utf8'));
  } catch {
    return undefined;
  }
}
