/** The caller's own line: the first frame outside this package, node_modules and Node itself. */
import { fileURLToPath } from 'node:url';

/** Frames are what a stack costs, so few are looked at first; query builders, and what they await, come before the program. */
const frameLimits = [8, 64] as const;
// `eval at f (file:1:2), <anonymous>:3:4` is a place in no file.
const foreignFrame = /node_modules|node:|, <anonymous>/;
// `at [async] [name (]file:line:column[)]`. A path may hold parentheses, as routes of some frameworks do; `node:internal/…` is no path.
const locationPattern = /^at (?:async )?(?:.*? \()?((?:file:\/\/\/|\/|[A-Za-z]:[\\/]).*?):(\d+):(\d+)\)?$/;

/**
 * `file:line:column` of the innermost frame of the program's own code; `undefined` where the stack shows none. Costs µs. Never throws,
 * whatever the program has set `Error.prepareStackTrace` to.
 *
 * In a bundle this package and the program are one file, and only source maps (`--enable-source-maps`) tell their frames apart: without
 * them, frames of that file are skipped.
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

// The program's own formatter goes first, because it may map positions to sources. One that makes no text is set aside.
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

// The first frame is that of `callSite`: it says where this package is, with source maps and without, in a bundle and outside.
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
