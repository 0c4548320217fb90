import {
  type Aggregate,
  type AggregateOperator,
  type Binary,
  type BinaryOperator,
  type Call,
  type Expression,
  isSetOperator,
  type Unary,
  type VectorMatching,
} from './ast.ts';
import {
  checkTypes,
  experimentalFunctions,
  functionSignatures,
  nativeHistogramFunctions,
} from './check-types.ts';
import type { Matcher } from './matcher.ts';
import {
  isLiteral,
  isNamedNumber,
  parseNumberLiteral,
  parsePostfix,
  parseSelector,
} from './operand-parser.ts';
import { TokenCursor } from './token-cursor.ts';

const aggregators = new Set<string>(
  'sum avg count min max group stddev stdvar topk bottomk count_values quantile'.split(' '),
);
const experimentalAggregators = new Set(['limitk', 'limit_ratio']);
const parameterized = new Set<string>(['topk', 'bottomk', 'count_values', 'quantile']);
const reserved = new Set(['bool', 'on', 'ignoring', 'group_left', 'group_right', 'atan2']);

const precedences: Readonly<Record<string, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '<=': 3,
  '<': 3,
  '>=': 3,
  '>': 3,
  '</': 3,
  '>/': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  atan2: 5,
  '^': 6,
};
const powerPrecedence = 6;
const nativeOnly = 'works on native histograms, which are not supported';

/** Parses and type-checks a query. @throws {PromqlError} `bad_data`, with the position of the first fault. */
export function parse(query: string): Expression {
  const cursor = new TokenCursor(query);
  if (cursor.peek().kind === 'end') throw cursor.error({ start: 0, end: 0 }, 'no expression found in input');
  const expression = parseBinary(cursor, 0);
  if (cursor.peek().kind !== 'end') throw cursor.unexpected();
  checkTypes(cursor, expression);
  return expression;
}

/** Parses one selector without range or modifiers, as `match[]` parameters hold it. @throws {PromqlError} `bad_data`. */
export function parseMetricSelector(query: string): readonly Matcher[] {
  const cursor = new TokenCursor(query);
  const token = cursor.peek();
  if (token.kind !== 'identifier' && token.kind !== 'metric' && !cursor.isPunctuation('{'))
    throw cursor.unexpected();
  const selector = parseSelector(cursor);
  if (cursor.peek().kind !== 'end') throw cursor.unexpected();
  checkTypes(cursor, selector);
  return selector.matchers;
}

function parseBinary(cursor: TokenCursor, minimum: number): Expression {
  return cursor.nested(() => {
    let left = parseUnary(cursor);
    for (;;) {
      const operator = infixOperator(cursor);
      const precedence = operator === undefined ? undefined : precedences[operator];
      if (operator === undefined || precedence === undefined || precedence < minimum) return left;
      left = parseOperation(cursor, left, operator, precedence);
    }
  });
}

function infixOperator(cursor: TokenCursor): string | undefined {
  const token = cursor.peek();
  if (token.kind === 'punctuation') return token.text;
  return token.kind === 'identifier' ? token.text.toLowerCase() : undefined;
}

function parseOperation(cursor: TokenCursor, left: Expression, operator: string, precedence: number): Binary {
  const operatorPosition = cursor.next().position;
  if (operator === '</' || operator === '>/')
    throw cursor.unsupported(operatorPosition, `the operator ${operator}`, nativeOnly);
  const returnBool = cursor.acceptWord('bool');
  const matching = parseMatching(cursor, operator as BinaryOperator);
  if (/^fill(?:_left|_right)?$/.test(cursor.word()) && cursor.isPunctuation('(', 1))
    throw cursor.unsupported(cursor.peek().position, `the ${cursor.word()} modifier`);
  // Left-associative, but for the power.
  const right = parseBinary(cursor, precedence === powerPrecedence ? precedence : precedence + 1);
  const position = { start: left.position.start, end: right.position.end };
  const node: Binary = {
    kind: 'binary',
    operator: operator as BinaryOperator,
    left,
    right,
    returnBool,
    matching,
    operatorPosition,
    position,
  };
  return cursor.built(node, left, right);
}

function parseMatching(cursor: TokenCursor, operator: BinaryOperator): VectorMatching {
  const plain = isSetOperator(operator) ? 'many-to-many' : 'one-to-one';
  const word = cursor.word();
  if (word !== 'on' && word !== 'ignoring') return { cardinality: plain, on: false, labels: [], include: [] };
  cursor.next();
  const labels = parseLabelList(cursor);
  const group = cursor.word();
  if (group !== 'group_left' && group !== 'group_right')
    return { cardinality: plain, on: word === 'on', labels, include: [] };
  cursor.next();
  const include = cursor.isPunctuation('(') ? parseLabelList(cursor) : [];
  const cardinality = group === 'group_left' ? 'many-to-one' : 'one-to-many';
  return { cardinality, on: word === 'on', labels, include };
}

function parseLabelList(cursor: TokenCursor): string[] {
  const labels: string[] = [];
  cursor.expect('(', 'grouping opts');
  while (!cursor.accept(')')) {
    const token = cursor.peek();
    if (!['identifier', 'metric', 'string'].includes(token.kind) || isNamedNumber(token))
      throw cursor.unexpected('grouping opts', 'label');
    if (token.text === '') throw cursor.error(token.position, 'invalid label name for grouping: ""');
    labels.push(cursor.next().text);
    if (!cursor.accept(',') && !cursor.isPunctuation(')'))
      throw cursor.unexpected('grouping opts', '"," or ")"');
  }
  return labels;
}

function parseUnary(cursor: TokenCursor): Expression {
  if (!cursor.isPunctuation('+') && !cursor.isPunctuation('-'))
    return parsePostfix(cursor, parsePrimary(cursor));
  const sign = cursor.next();
  // A sign binds as multiplication does: below the power, above all else.
  const operand = parseBinary(cursor, powerPrecedence);
  const position = { start: sign.position.start, end: operand.position.end };
  if (operand.kind === 'number') {
    const value = sign.text === '-' ? -operand.value : operand.value;
    return cursor.built({ ...operand, value, position });
  }
  const node: Unary = { kind: 'unary', operator: sign.text as '+' | '-', expression: operand, position };
  return cursor.built(node, operand);
}

function parsePrimary(cursor: TokenCursor): Expression {
  const token = cursor.peek();
  if (isLiteral(token)) return parseNumberLiteral(cursor);
  if (token.kind === 'string') {
    cursor.next();
    return cursor.built({ kind: 'string', value: token.text, position: token.position });
  }
  if (cursor.isPunctuation('{') || token.kind === 'metric') return parseSelector(cursor);
  if (cursor.isPunctuation('(')) return parseParentheses(cursor);
  if (token.kind !== 'identifier') throw cursor.unexpected();
  const word = cursor.word();
  const called = cursor.isPunctuation('(', 1);
  const grouped = called || cursor.word(1) === 'by' || cursor.word(1) === 'without';
  if (grouped && (aggregators.has(word) || experimentalAggregators.has(word))) return parseAggregate(cursor);
  if (reserved.has(word)) throw cursor.unexpected();
  return called ? parseCall(cursor) : parseSelector(cursor);
}

function parseParentheses(cursor: TokenCursor): Expression {
  const { start } = cursor.next().position;
  const expression = parseBinary(cursor, 0);
  cursor.expect(')', '', '")"');
  return cursor.built({ kind: 'parentheses', expression, position: { start, end: cursor.end } }, expression);
}

function parseArguments(cursor: TokenCursor, context: string): Expression[] {
  const args: Expression[] = [];
  cursor.expect('(', context);
  if (cursor.accept(')')) return args;
  for (;;) {
    args.push(parseBinary(cursor, 0));
    if (cursor.accept(')')) return args;
    const comma = cursor.expect(',', context, '"," or ")"');
    if (cursor.isPunctuation(')'))
      throw cursor.error(comma.position, 'trailing commas not allowed in function call args');
  }
}

function parseCall(cursor: TokenCursor): Call {
  const token = cursor.next();
  const name = token.text;
  if (experimentalFunctions.has(name)) throw cursor.unsupported(token.position, `the function ${name}()`);
  if (nativeHistogramFunctions.has(name))
    throw cursor.unsupported(token.position, `the function ${name}()`, nativeOnly);
  if (!functionSignatures.has(name))
    throw cursor.error(token.position, `unknown function with name "${name}"`);
  const args = parseArguments(cursor, 'function call');
  const position = { start: token.position.start, end: cursor.end };
  return cursor.built({ kind: 'call', name, args, position }, ...args);
}

function parseAggregate(cursor: TokenCursor): Aggregate {
  const token = cursor.next();
  const operator = token.text.toLowerCase();
  if (experimentalAggregators.has(operator))
    throw cursor.unsupported(token.position, `the aggregation ${operator}()`);
  let modifier = parseGrouping(cursor);
  const args = parseArguments(cursor, 'aggregation');
  modifier ??= parseGrouping(cursor);
  const position = { start: token.position.start, end: cursor.end };
  const wanted = parameterized.has(operator) ? 2 : 1;
  if (args.length === 0) throw cursor.error(position, 'no arguments for aggregate expression provided');
  if (args.length !== wanted) {
    const counts = `expected ${wanted}, got ${args.length}`;
    throw cursor.error(position, `wrong number of arguments for aggregate expression provided, ${counts}`);
  }
  const node: Aggregate = {
    kind: 'aggregate',
    operator: operator as AggregateOperator,
    parameter: wanted === 2 ? args[0] : undefined,
    expression: args[wanted - 1] as Expression,
    grouping: modifier?.labels ?? [],
    without: modifier?.without ?? false,
    position,
  };
  return cursor.built(node, ...args);
}

function parseGrouping(cursor: TokenCursor): { labels: string[]; without: boolean } | undefined {
  const word = cursor.word();
  if (word !== 'by' && word !== 'without') return undefined;
  cursor.next();
  return { labels: parseLabelList(cursor), without: word === 'without' };
}
