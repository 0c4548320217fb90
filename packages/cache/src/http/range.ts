/** Parts of a stored response (RFC 9110 §14). One range of bytes is served; several are answered with the whole (§14.2). */
import { fieldOf, type HeaderFields } from './fields.ts';

/** The bytes asked for, `end` exclusive; `unsatisfiable` when none of them exist. */
export type ByteRange = { readonly start: number; readonly end: number } | 'unsatisfiable';

/** `undefined`: answer with the whole response. `response` is the stored header section, `length` that of its body. */
export function rangeOf(
  request: HeaderFields,
  response: HeaderFields,
  length: number,
): ByteRange | undefined {
  // No two parts of the pattern match the same characters, so that it takes linear time on whatever a client sends.
  const [, first, last] = /^bytes *= *(\d*)-(\d*)$/i.exec((fieldOf(request, 'range') ?? '').trim()) ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (!ifRangeHolds(fieldOf(request, 'if-range'), response)) return undefined;
  if (first === '') {
    // §14.1.2: the last so many bytes.
    const count = Math.min(Number(last), length);
    return count === 0 ? 'unsatisfiable' : { start: length - count, end: length };
  }
  const start = Number(first);
  // An invalid range is ignored.
  if (last !== '' && Number(last) < start) return undefined;
  if (start >= length) return 'unsatisfiable';
  return { start, end: last === '' ? length : Math.min(Number(last) + 1, length) };
}

// §13.1.5: strong comparison; a date must be exactly that of Last-Modified.
function ifRangeHolds(condition: string | undefined, response: HeaderFields): boolean {
  if (condition === undefined) return true;
  const text = condition.trim();
  if (text.startsWith('"')) return text === fieldOf(response, 'etag');
  if (text.startsWith('W/')) return false;
  const modified = Date.parse(fieldOf(response, 'last-modified') ?? '');
  return Date.parse(text) === modified;
}
