import type { ArithmeticOperator, BinaryOperator, ComparisonOperator } from './ast.ts';
import { power } from './numerics.ts';

const arithmetic: Readonly<Record<ArithmeticOperator, (left: number, right: number) => number>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '%': (left, right) => left % right,
  '^': power,
  atan2: Math.atan2,
};

const comparison: Readonly<Record<ComparisonOperator, (left: number, right: number) => boolean>> = {
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '<=': (left, right) => left <= right,
  '<': (left, right) => left < right,
  '>=': (left, right) => left >= right,
  '>': (left, right) => left > right,
};

/** A binary operator on two numbers: a value, or a condition that keeps or drops one. */
export type Operation =
  | { readonly kind: 'value'; readonly of: (left: number, right: number) => number }
  | { readonly kind: 'filter'; readonly keeps: (left: number, right: number) => boolean };

/** With `bool` a comparison is a value, 1 or 0. */
export function operationOf(operator: BinaryOperator, returnBool: boolean): Operation {
  const keeps = comparison[operator as ComparisonOperator];
  if (keeps === undefined) return { kind: 'value', of: arithmetic[operator as ArithmeticOperator] };
  if (!returnBool) return { kind: 'filter', keeps };
  return { kind: 'value', of: (left, right) => (keeps(left, right) ? 1 : 0) };
}
