import { RE2JS } from 're2js';

const longest = 10_000;
const largestProgram = 25_000;

/**
 * RE2's syntax and its promise of linear time; `.` matches a line break too. Because time grows with the expression as
 * well, one that is very long or that compiles to a very large program is refused.
 * @throws An `Error` that says why.
 */
export function compileRegularExpression(pattern: string): RE2JS {
  if (pattern.length > longest)
    throw new Error(
      `the regular expression has ${pattern.length} characters, more than the limit of ${longest}`,
    );
  const expression = RE2JS.compile(pattern, RE2JS.DOTALL);
  if (expression.programSize() > largestProgram)
    throw new Error(
      `the regular expression is too complex: its repetitions expand beyond ${largestProgram} steps`,
    );
  return expression;
}
