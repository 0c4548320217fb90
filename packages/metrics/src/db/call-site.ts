/** `file:line:column` of a query's caller: the innermost frame outside this package, node_modules and Node. */
import { fileURLToPath } from 'node:url';

/**
 * The innermost frame of the program's own code; `undefined` if the stack shows none. Costs microseconds. Never throws, whatever the program has set
 * `Error.prepareStackTrace` to.
 *
 * In a bundle this package and the program are one file. Only source maps (`--enable-source-maps`) separate their frames; without them, all frames
 * of that file are skipped.
 */
export function callSite(): string | undefined {
  try {
    for (const frames of frameLimits) {
      const site = siteIn(stack(frames));
      if (site !== undefined) return site;
    }
  } catch {
    // The program has frozen `Error`.
  }
  return undefined;
}

/** The cost of a stack grows with its frames, so few are captured first. Query builders may put many before the program's. */
const frameLimits = [8, 64] as const;
// `eval at f (file:1:2), <anonymous>:3:4` is in no file.
const foreignFrame = /node_modules|node:|, <anonymous>/;
// `at [async] [name (]file:line:column[)]`. A path may hold parentheses; `node:internal/…` is no path.
const locationPattern = /^at (?:async )?(?:.*? \()?((?:file:\/\/\/|\/|[A-Za-z]:[\\/]).*?):(\d+):(\d+)\)?$/;

// The program's own formatter is tried first, as it may map positions to sources. If it returns no text, Node's own is used.
function stack(frames: number): string {
  try {
    const formatted = capture(frames);
    if (typeof formatted === 'string' && formatted.includes('\n    at ')) return formatted;
  } catch {
    // The program's formatter threw.
  }
  const formatter = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  Reflect.deleteProperty(Error, 'prepareStackTrace');
  try {
    return String(capture(frames));
  } finally {
    if (formatter !== undefined) Object.defineProperty(Error, 'prepareStackTrace', formatter);
  }
}

function capture(frames: number): unknown {
  const holder: { stack?: unknown } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = frames;
  try {
    Error.captureStackTrace(holder, stack);
    return holder.stack;
  } finally {
    Error.stackTraceLimit = limit;
  }
}

// The first frame is `callSite` itself: it locates this package, with and without source maps, in a bundle and outside.
function siteIn(text: string): string | undefined {
  let own: string | undefined;
  for (const line of text.split('\n')) {
    if (own !== undefined && (line.includes(own) || foreignFrame.test(line))) continue;
    const location = locationPattern.exec(line.trim());
    if (location === null) continue;
    const file = location[1] as string;
    if (own === undefined) {
      own = file.replace(/db([\\/])call-site\.[jt]s$/, '');
      continue;
    }
    return `${file.startsWith('file:') ? fileURLToPath(file) : file}:${location[2]}:${location[3]}`;
  }
  return undefined;
}
