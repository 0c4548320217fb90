import { quoteName } from '../labels.ts';
import type {
  Aggregate,
  AtModifier,
  Binary,
  Call,
  Expression,
  VectorMatching,
  VectorSelector,
} from './ast.ts';
import { formatDuration, formatPlain, quote } from './literals.ts';
import type { Matcher } from './matcher.ts';

const indentation = '  ';

/**
 * The query in its canonical text: it parses back to an equal expression. What does not fit in `width` columns [100] is
 * broken over lines, operands and arguments indented by two; `Infinity` keeps all on one line.
 */
export function format(expression: Expression, { width = 100 }: { readonly width?: number } = {}): string {
  return broken(expression, 0, width);
}

function broken(node: Expression, level: number, width: number): string {
  const indent = indentation.repeat(level);
  const flat = indent + flatten(node);
  if (flat.length <= width) return flat;
  switch (node.kind) {
    case 'number':
    case 'string':
    case 'selector':
    case 'range':
      return flat;
    case 'parentheses':
      return `${indent}(\n${broken(node.expression, level + 1, width)}\n${indent})`;
    case 'unary':
      return `${indent}${node.operator}${broken(node.expression, level, width).slice(indent.length)}`;
    case 'subquery':
      return broken(node.expression, level, width) + subquerySuffix(node);
    case 'binary': {
      const left = broken(node.left, level + 1, width);
      const right = broken(node.right, level + 1, width);
      return `${left}\n${indent}${operatorText(node)}\n${right}`;
    }
    case 'call':
      return wrapped(`${indent}${node.name}`, node.args, level, width);
    case 'aggregate': {
      const args = node.parameter === undefined ? [node.expression] : [node.parameter, node.expression];
      return wrapped(`${indent}${aggregateHead(node)}`, args, level, width);
    }
  }
}

function wrapped(head: string, args: readonly Expression[], level: number, width: number): string {
  const lines = args.map((arg) => broken(arg, level + 1, width)).join(',\n');
  return `${head}(\n${lines}\n${indentation.repeat(level)})`;
}

function flatten(node: Expression): string {
  switch (node.kind) {
    case 'number':
      if (node.duration) return formatDuration(node.value * 1000);
      // A sign would be read back as an operator: `+Inf ^ 2` is `+(Inf ^ 2)`.
      return node.value === Number.POSITIVE_INFINITY ? 'Inf' : formatPlain(node.value);
    case 'string':
      return quote(node.value);
    case 'selector':
      return selectorText(node) + modifiers(node);
    case 'range':
      return `${selectorText(node.selector)}[${formatDuration(node.rangeMs)}]${modifiers(node.selector)}`;
    case 'subquery':
      return flatten(node.expression) + subquerySuffix(node);
    case 'parentheses':
      return `(${flatten(node.expression)})`;
    case 'unary':
      return node.operator + flatten(node.expression);
    case 'binary':
      return `${flatten(node.left)} ${operatorText(node)} ${flatten(node.right)}`;
    case 'call':
      return callText(node);
    case 'aggregate': {
      const parameter = node.parameter === undefined ? '' : `${flatten(node.parameter)}, `;
      return `${aggregateHead(node)}(${parameter}${flatten(node.expression)})`;
    }
  }
}

function callText(node: Call): string {
  return `${node.name}(${node.args.map(flatten).join(', ')})`;
}

function aggregateHead({ operator, grouping, without }: Aggregate): string {
  if (without) return `${operator} without (${names(grouping)}) `;
  return grouping.length > 0 ? `${operator} by (${names(grouping)}) ` : operator;
}

function operatorText({ operator, returnBool, matching }: Binary): string {
  return operator + (returnBool ? ' bool' : '') + matchingText(matching);
}

function matchingText({ cardinality, on, labels, include }: VectorMatching): string {
  const grouped = cardinality === 'many-to-one' || cardinality === 'one-to-many';
  if (!on && labels.length === 0 && !grouped) return '';
  const group = grouped
    ? ` group_${cardinality === 'many-to-one' ? 'left' : 'right'} (${names(include)})`
    : '';
  return ` ${on ? 'on' : 'ignoring'} (${names(labels)})${group}`;
}

function names(labels: readonly string[]): string {
  return labels.map(quoteName).join(', ');
}

function selectorText({ name, matchers }: VectorSelector): string {
  const inBraces = name === '' ? matchers : matchers.slice(0, -1);
  if (inBraces.length === 0 && name !== '') return name;
  return `${name}{${inBraces.map(matcherText).sort().join(',')}}`;
}

function matcherText({ name, operator, value }: Matcher): string {
  return `${quoteName(name)}${operator}${quote(value)}`;
}

function modifiers({
  at,
  offsetMs,
}: {
  readonly at: AtModifier | undefined;
  readonly offsetMs: number;
}): string {
  const time = at === undefined ? '' : ` @ ${typeof at === 'number' ? (at / 1000).toFixed(3) : `${at}()`}`;
  return offsetMs === 0 ? time : `${time} offset ${formatDuration(offsetMs)}`;
}

function subquerySuffix(node: Extract<Expression, { kind: 'subquery' }>): string {
  const step = node.stepMs === undefined ? '' : formatDuration(node.stepMs);
  return `[${formatDuration(node.rangeMs)}:${step}]${modifiers(node)}`;
}
