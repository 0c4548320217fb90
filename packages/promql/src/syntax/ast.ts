import type { Position } from '../errors.ts';
import type { Matcher } from './matcher.ts';

export type ValueType = 'scalar' | 'string' | 'vector' | 'matrix';

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '^' | 'atan2';
export type ComparisonOperator = '==' | '!=' | '<=' | '<' | '>=' | '>';
export type SetOperator = 'and' | 'or' | 'unless';
export type BinaryOperator = ArithmeticOperator | ComparisonOperator | SetOperator;

export type AggregateOperator =
  | 'sum'
  | 'avg'
  | 'count'
  | 'min'
  | 'max'
  | 'group'
  | 'stddev'
  | 'stdvar'
  | 'topk'
  | 'bottomk'
  | 'count_values'
  | 'quantile';

/** The `@` modifier: a fixed time in Unix milliseconds, or an end of the query's range. */
export type AtModifier = number | 'start' | 'end';

export interface NumberLiteral {
  readonly kind: 'number';
  readonly value: number;
  /** Written as a duration (`5m`), and so printed. */
  readonly duration: boolean;
  readonly position: Position;
}

export interface StringLiteral {
  readonly kind: 'string';
  readonly value: string;
  readonly position: Position;
}

export interface VectorSelector {
  readonly kind: 'selector';
  /** The name written in front of the braces; its matcher stands last in `matchers`. */
  readonly name: string;
  readonly matchers: readonly Matcher[];
  readonly offsetMs: number;
  readonly at: AtModifier | undefined;
  readonly position: Position;
}

/** `offset` and `@` stand on the inner selector, wherever they were written. */
export interface MatrixSelector {
  readonly kind: 'range';
  readonly selector: VectorSelector;
  readonly rangeMs: number;
  readonly position: Position;
}

export interface Subquery {
  readonly kind: 'subquery';
  readonly expression: Expression;
  readonly rangeMs: number;
  /** `undefined`: the default step. */
  readonly stepMs: number | undefined;
  readonly offsetMs: number;
  readonly at: AtModifier | undefined;
  readonly position: Position;
}

export interface Parenthesized {
  readonly kind: 'parentheses';
  readonly expression: Expression;
  readonly position: Position;
}

export interface Unary {
  readonly kind: 'unary';
  readonly operator: '+' | '-';
  readonly expression: Expression;
  readonly position: Position;
}

export interface VectorMatching {
  readonly cardinality: 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many';
  /** `labels` are those to match on; else those to ignore. */
  readonly on: boolean;
  readonly labels: readonly string[];
  /** Labels taken over from the one side. */
  readonly include: readonly string[];
}

export interface Binary {
  readonly kind: 'binary';
  readonly operator: BinaryOperator;
  readonly left: Expression;
  readonly right: Expression;
  readonly returnBool: boolean;
  readonly matching: VectorMatching;
  readonly operatorPosition: Position;
  readonly position: Position;
}

export interface Call {
  readonly kind: 'call';
  readonly name: string;
  readonly args: readonly Expression[];
  readonly position: Position;
}

export interface Aggregate {
  readonly kind: 'aggregate';
  readonly operator: AggregateOperator;
  readonly parameter: Expression | undefined;
  readonly expression: Expression;
  readonly grouping: readonly string[];
  readonly without: boolean;
  readonly position: Position;
}

export type Expression =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | Subquery
  | Parenthesized
  | Unary
  | Binary
  | Call
  | Aggregate;

/** The expression inside any number of parentheses. */
export function unwrap(expression: Expression): Expression {
  let inner = expression;
  while (inner.kind === 'parentheses') inner = inner.expression;
  return inner;
}

export function isComparison(operator: BinaryOperator): operator is ComparisonOperator {
  return /^[=!<>]/.test(operator);
}

export function isSetOperator(operator: BinaryOperator): operator is SetOperator {
  return operator === 'and' || operator === 'or' || operator === 'unless';
}
