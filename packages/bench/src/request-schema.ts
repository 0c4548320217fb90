import * as z from 'zod';

/** A path's begin, without characters that would end the request line. */
export const pathStart: RegExp = /^\/[\x21-\x7e]*$/;

/** Whole milliseconds within bounds. */
export const wholeMs = (minimum: number, maximum: number): z.ZodNumber =>
  z.number().int('expected whole milliseconds').min(minimum).max(maximum);

/** Methods that a scenario may send. */
export const methodSchema: z.ZodType<string> = z.enum([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
]);

/** A path that needs no rendering. */
export const pathSchema: z.ZodString = z
  .string()
  .regex(pathStart, 'expected a path that begins with `/` and has every other character percent-encoded');

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const printable = /^[\t\x20-\x7e\x80-\xff]*$/;
const hopHeaders = new Set([
  'connection',
  'content-length',
  'transfer-encoding',
  'keep-alive',
  'upgrade',
  'expect',
]);

/** Header names and values; those that frame a message are the generator's. */
export function headersSchema(value: z.ZodType<string> = z.string()): z.ZodType<Record<string, string>> {
  const names = z
    .string()
    .regex(token, 'expected a header name')
    .refine((name) => !hopHeaders.has(name.toLowerCase()), 'is set by the generator; remove it');
  const values = value.refine((text) => printable.test(text), 'expected a header value without line breaks');
  return z.record(names, values).superRefine((headers, context) => {
    const seen = new Set<string>();
    for (const name of Object.keys(headers)) {
      const lower = name.toLowerCase();
      if (seen.has(lower))
        context.addIssue({
          code: 'custom',
          path: [name],
          message: 'is given twice; names differ by case only',
        });
      seen.add(lower);
    }
  });
}
