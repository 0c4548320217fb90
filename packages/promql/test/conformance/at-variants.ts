import type { AtModifier, Expression } from '../../src/syntax/ast.ts';
import { format } from '../../src/syntax/format.ts';
import { parse } from '../../src/syntax/parser.ts';
import { visit } from '../../src/syntax/query-names.ts';

// Their results change with the time of evaluation whatever their arguments.
const timeDependent = new Set(
  'days_in_month day_of_month day_of_week day_of_year hour minute month year predict_linear time timestamp'.split(
    ' ',
  ),
);

/**
 * The same query with every selector pinned to `timeMs` by `@`, and times at which it has to answer as it did at that time.
 * Nothing where a function looks at the time itself.
 */
export function atVariants(
  query: string,
  timeMs: number,
): { readonly query: string; readonly timeMs: number }[] {
  const expression = parse(query);
  let fixed = true;
  visit(expression, (node) => {
    if (node.kind === 'call' && timeDependent.has(node.name)) fixed = false;
  });
  if (!fixed) return [];
  const pinned = format(pin(expression, timeMs), { width: Number.POSITIVE_INFINITY });
  const times =
    timeMs === 0 ? [-1_000, 0, 1_000] : [-10 * timeMs, 0, Math.trunc(timeMs / 5), timeMs, 10 * timeMs];
  return times.map((at) => ({ query: pinned, timeMs: at }));
}

function pin(node: Expression, timeMs: number): Expression {
  const at = (given: AtModifier | undefined): AtModifier => (typeof given === 'number' ? given : timeMs);
  switch (node.kind) {
    case 'number':
    case 'string':
      return node;
    case 'selector':
      return { ...node, at: at(node.at) };
    case 'range':
      return { ...node, selector: { ...node.selector, at: at(node.selector.at) } };
    case 'subquery':
      // What is inside is evaluated around the pinned time.
      return { ...node, at: at(node.at) };
    case 'parentheses':
    case 'unary':
      return { ...node, expression: pin(node.expression, timeMs) };
    case 'binary':
      return { ...node, left: pin(node.left, timeMs), right: pin(node.right, timeMs) };
    case 'call':
      return { ...node, args: node.args.map((arg) => pin(arg, timeMs)) };
    case 'aggregate': {
      const expression = pin(node.expression, timeMs);
      return node.parameter === undefined
        ? { ...node, expression }
        : { ...node, expression, parameter: pin(node.parameter, timeMs) };
    }
  }
}
