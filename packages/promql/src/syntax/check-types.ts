import {
  type Binary,
  type Call,
  type Expression,
  isComparison,
  isSetOperator,
  type ValueType,
  type VectorSelector,
} from './ast.ts';
import type { TokenCursor } from './token-cursor.ts';

const documented: Readonly<Record<ValueType, string>> = {
  scalar: 'scalar',
  string: 'string',
  vector: 'instant vector',
  matrix: 'range vector',
};

/** The type an expression evaluates to. Total: the parser admits no expression without one. */
export function typeOf(expression: Expression): ValueType {
  switch (expression.kind) {
    case 'number':
      return 'scalar';
    case 'string':
      return 'string';
    case 'selector':
    case 'aggregate':
      return 'vector';
    case 'range':
    case 'subquery':
      return 'matrix';
    case 'parentheses':
    case 'unary':
      return typeOf(expression.expression);
    case 'binary':
      return typeOf(expression.left) === 'scalar' && typeOf(expression.right) === 'scalar'
        ? 'scalar'
        : 'vector';
    case 'call':
      return functionSignatures.get(expression.name)?.returns ?? 'vector';
  }
}

/** @throws {PromqlError} `bad_data` at the first expression that does not fit its place. */
export function checkTypes(cursor: TokenCursor, expression: Expression): void {
  switch (expression.kind) {
    case 'number':
    case 'string':
      return;
    case 'selector':
      checkSelector(cursor, expression);
      return;
    case 'range':
      checkSelector(cursor, expression.selector);
      return;
    case 'parentheses':
      checkTypes(cursor, expression.expression);
      return;
    case 'subquery':
      checkTypes(cursor, expression.expression);
      if (typeOf(expression.expression) !== 'vector') {
        const got = documented[typeOf(expression.expression)];
        throw cursor.error(
          expression.position,
          `subquery is only allowed on instant vector, got ${got} instead`,
        );
      }
      return;
    case 'unary': {
      checkTypes(cursor, expression.expression);
      const type = typeOf(expression.expression);
      if (type === 'scalar' || type === 'vector') return;
      const message = 'unary expression only allowed on expressions of type scalar or instant vector';
      throw cursor.error(expression.position, `${message}, got "${documented[type]}"`);
    }
    case 'binary':
      checkBinary(cursor, expression);
      return;
    case 'call':
      checkCall(cursor, expression);
      return;
    case 'aggregate': {
      const { operator, parameter } = expression;
      expectType(cursor, expression.expression, 'vector', 'aggregation expression');
      if (parameter !== undefined)
        expectType(
          cursor,
          parameter,
          operator === 'count_values' ? 'string' : 'scalar',
          'aggregation parameter',
        );
    }
  }
}

function expectType(cursor: TokenCursor, expression: Expression, type: ValueType, context: string): void {
  checkTypes(cursor, expression);
  const got = typeOf(expression);
  if (got === type) return;
  throw cursor.error(
    expression.position,
    `expected type ${documented[type]} in ${context}, got ${documented[got]}`,
  );
}

function checkSelector(cursor: TokenCursor, selector: VectorSelector): void {
  const { name, matchers, position } = selector;
  if (name === '') {
    if (matchers.some((matcher) => !matcher.matches(''))) return;
    throw cursor.error(position, 'vector selector must contain at least one non-empty matcher');
  }
  const second = matchers.slice(0, -1).find((matcher) => matcher.name === '__name__');
  if (second !== undefined)
    throw cursor.error(position, `metric name must not be set twice: "${name}" or "${second.value}"`);
}

function checkBinary(cursor: TokenCursor, node: Binary): void {
  const { operator, left, right, matching, operatorPosition } = node;
  checkTypes(cursor, left);
  checkTypes(cursor, right);
  const types = [typeOf(left), typeOf(right)];
  if (node.returnBool && !isComparison(operator))
    throw cursor.error(operatorPosition, 'bool modifier can only be used on comparison operators');
  if (isComparison(operator) && !node.returnBool && types.every((type) => type === 'scalar'))
    throw cursor.error(operatorPosition, 'comparisons between scalars must use BOOL modifier');
  const both = matching.on ? matching.labels.find((label) => matching.include.includes(label)) : undefined;
  if (both !== undefined)
    throw cursor.error(operatorPosition, `label "${both}" must not occur in ON and GROUP clause at once`);
  for (const side of [left, right]) {
    if (typeOf(side) === 'scalar' || typeOf(side) === 'vector') continue;
    throw cursor.error(side.position, 'binary expression must contain only scalar and instant vector types');
  }
  if (types.includes('scalar')) {
    if (matching.labels.length > 0)
      throw cursor.error(node.position, 'vector matching only allowed between instant vectors');
    if (isSetOperator(operator))
      throw cursor.error(node.position, `set operator "${operator}" not allowed in binary scalar expression`);
  } else if (isSetOperator(operator) && matching.cardinality !== 'many-to-many')
    throw cursor.error(node.position, `no grouping allowed for "${operator}" operation`);
}

function checkCall(cursor: TokenCursor, node: Call): void {
  const signature = functionSignatures.get(node.name);
  if (signature === undefined) return;
  const { args, variadic } = signature;
  const got = node.args.length;
  const least = variadic === 0 ? args.length : args.length - 1;
  const most = variadic < 0 ? Number.POSITIVE_INFINITY : least + variadic;
  const counted = (bound: string, count: number): never => {
    throw cursor.error(
      node.position,
      `expected ${bound}${count} argument(s) in call to "${node.name}", got ${got}`,
    );
  };
  if (variadic === 0 && got !== args.length) counted('', args.length);
  if (got < least) counted('at least ', least);
  if (got > most) counted('at most ', most);
  for (const [index, arg] of node.args.entries()) {
    const type = args[Math.min(index, args.length - 1)] as ValueType;
    expectType(cursor, arg, type, `call to function "${node.name}"`);
  }
}

interface FunctionSignature {
  readonly args: readonly ValueType[];
  readonly returns: ValueType;
  /** How many of the last argument may be left out or repeated: 0 fixed, -1 any number. */
  readonly variadic: number;
}

const vectorToVector = [
  'abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log10 log2 rad sgn sin sinh sort sort_desc sqrt tan tanh timestamp',
];
const dates = ['days_in_month day_of_month day_of_week day_of_year hour minute month year'];
const matrixToVector = [
  'absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate',
  'last_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time stdvar_over_time sum_over_time',
];

/** Prometheus 3's stable functions on floats. */
export const functionSignatures: ReadonlyMap<string, FunctionSignature> = new Map<string, FunctionSignature>([
  ...each(vectorToVector, ['vector']),
  ...each(dates, ['vector'], 1),
  ...each(matrixToVector, ['matrix']),
  one('clamp', ['vector', 'scalar', 'scalar']),
  one('clamp_max', ['vector', 'scalar']),
  one('clamp_min', ['vector', 'scalar']),
  one('histogram_fraction', ['scalar', 'scalar', 'vector']),
  one('histogram_quantile', ['scalar', 'vector']),
  one('label_join', ['vector', 'string', 'string', 'string'], -1),
  one('label_replace', ['vector', 'string', 'string', 'string', 'string']),
  one('pi', [], 0, 'scalar'),
  one('predict_linear', ['matrix', 'scalar']),
  one('quantile_over_time', ['scalar', 'matrix']),
  one('round', ['vector', 'scalar'], 1),
  one('scalar', ['vector'], 0, 'scalar'),
  one('time', [], 0, 'scalar'),
  one('vector', ['scalar']),
]);

/** What Prometheus 3 has behind a feature flag and the engine leaves out: refused by name. */
export const experimentalFunctions: ReadonlySet<string> = new Set(
  (
    'double_exponential_smoothing end histogram_quantiles info mad_over_time max_of min_of range sort_by_label ' +
    'sort_by_label_desc start start_timestamp step ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ' +
    'ts_of_min_over_time'
  ).split(' '),
);

/** Functions that read nothing but native histograms: refused by name. */
export const nativeHistogramFunctions: ReadonlySet<string> = new Set(
  'histogram_avg histogram_count histogram_stddev histogram_stdvar histogram_sum'.split(' '),
);

function one(
  name: string,
  args: readonly ValueType[],
  variadic = 0,
  returns: ValueType = 'vector',
): [string, FunctionSignature] {
  return [name, { args, returns, variadic }];
}

function each(
  names: readonly string[],
  args: readonly ValueType[],
  variadic = 0,
): [string, FunctionSignature][] {
  return names.flatMap((line) => line.split(' ')).map((name) => one(name, args, variadic));
}
