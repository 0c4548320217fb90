/** The caller's own line: the first frame outside this package, node_modules and Node itself. */
import { fileURLToPath } from 'node:url';

const OWN = fileURLToPath(new URL('..', import.meta.url));
const FRAMES = 24;

/** `file:line:column` of the innermost frame of the program's own code; `undefined` where the stack shows none. Costs µs. */
export function callSite(): string | undefined {
  const holder: { stack?: string } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  Error.captureStackTrace(holder, callSite);
  Error.stackTraceLimit = limit;
  for (const line of (holder.stack ?? '').split('\n').slice(1)) {
    const location = /\(?((?:file:\/\/)?\/[^()]*|[A-Za-z]:\\[^()]*):(\d+):(\d+)\)?$/.exec(line.trim());
    if (location === null) continue;
    const file = (location[1] as string).replace(/^file:\/\//, '').replace(/^at (?:async )?/, '');
    if (file.includes('node_modules') || file.startsWith(OWN) || file.startsWith('node:')) continue;
    return `${file}:${location[2]}:${location[3]}`;
  }
  return undefined;
}
