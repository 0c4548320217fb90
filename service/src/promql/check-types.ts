import type { Binary, Call, Expression, ValueType, VectorSelector } from './ast.ts';
import { isComparison, isSetOperator } from './ast.ts';
import { functionSignatures } from './function-signatures.ts';
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
