import type { Expression, VectorSelector } from './ast.ts';
import type { Matcher } from './matcher.ts';

/** What a query reads and by which labels it works, for checks against a catalogue and for completion. */
export interface QueryNames {
  readonly selectors: readonly {
    readonly metric: string | undefined;
    readonly matchers: readonly Matcher[];
  }[];
  /** Metric names that selectors demand with `=`, sorted. */
  readonly metrics: readonly string[];
  /** Label names in matchers, groupings, matchings and label functions, sorted. Without `__name__`. */
  readonly labels: readonly string[];
}

/** Every selector of an expression in the order of its text, with the names that occur anywhere. */
export function queryNames(expression: Expression): QueryNames {
  const found: VectorSelector[] = [];
  const labels = new Set<string>();
  visit(expression, (node) => {
    if (node.kind === 'selector') {
      found.push(node);
      for (const { name } of node.matchers) labels.add(name);
    } else if (node.kind === 'aggregate') for (const name of node.grouping) labels.add(name);
    else if (node.kind === 'binary')
      for (const name of [...node.matching.labels, ...node.matching.include]) labels.add(name);
    else if (node.kind === 'call') for (const name of labelArguments(node)) labels.add(name);
  });
  labels.delete('__name__');
  const described = found.map(({ matchers }) => ({ metric: metricOf(matchers), matchers }));
  const metrics = new Set(described.flatMap(({ metric }) => (metric === undefined ? [] : [metric])));
  return { selectors: described, metrics: [...metrics].sort(), labels: [...labels].sort() };
}

/** Calls back for an expression and all inside it, outer before inner, left before right. */
export function visit(expression: Expression, callback: (node: Expression) => void): void {
  callback(expression);
  for (const child of children(expression)) visit(child, callback);
}

function children(node: Expression): readonly Expression[] {
  switch (node.kind) {
    case 'number':
    case 'string':
    case 'selector':
      return [];
    case 'range':
      return [node.selector];
    case 'subquery':
    case 'parentheses':
    case 'unary':
      return [node.expression];
    case 'binary':
      return [node.left, node.right];
    case 'call':
      return node.args;
    case 'aggregate':
      return node.parameter === undefined ? [node.expression] : [node.parameter, node.expression];
  }
}

function metricOf(matchers: readonly Matcher[]): string | undefined {
  return matchers.find(({ name, operator }) => name === '__name__' && operator === '=')?.value;
}

// label_replace(v, target, replacement, source, regex); label_join(v, target, separator, source…).
function labelArguments({ name, args }: Extract<Expression, { kind: 'call' }>): string[] {
  const texts = args.map((arg) => (arg.kind === 'string' ? arg.value : ''));
  const used =
    name === 'label_replace'
      ? [texts[1], texts[3]]
      : name === 'label_join'
        ? [texts[1], ...texts.slice(3)]
        : [];
  return used.filter((text): text is string => text !== undefined && text !== '');
}
