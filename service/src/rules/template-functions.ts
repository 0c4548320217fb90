import { compileRegularExpression, parseDuration } from '@weir/promql';
import {
  formatTemplateValue,
  humanize,
  humanize1024,
  humanizeDuration,
  humanizePercentage,
  humanizeTimestamp,
  isTruthy,
  sprintf,
  TemplateMap,
  type TemplateValue,
} from './template-values.ts';

/** What the functions of a template use. */
export interface TemplateContext {
  /** Runs an instant query at the time of the evaluation. */
  readonly query: (
    text: string,
  ) => readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
  readonly externalUrl: string;
}

type TemplateFunction = (args: readonly TemplateValue[], context: TemplateContext) => TemplateValue;

const text = (value: TemplateValue): string => (value === undefined ? '' : formatTemplateValue(value));
const list = (value: TemplateValue): readonly TemplateValue[] => {
  if (Array.isArray(value)) return value as readonly TemplateValue[];
  throw new Error(`expected a list, got ${formatTemplateValue(value)}`);
};
const map = (value: TemplateValue): TemplateMap => {
  if (value instanceof TemplateMap) return value;
  throw new Error(`expected a sample or labels, got ${formatTemplateValue(value)}`);
};

function number(value: TemplateValue): number {
  if (typeof value === 'number') return value;
  const given = text(value).trim();
  const special: Record<string, number> = {
    NaN: Number.NaN,
    '+Inf': Infinity,
    Inf: Infinity,
    '-Inf': -Infinity,
  };
  const parsed = given === '' ? Number.NaN : (special[given] ?? Number(given));
  if (Number.isNaN(parsed) && given !== 'NaN') throw new Error(`expected a number, got "${given}"`);
  return parsed;
}

const compare =
  (holds: (order: number) => boolean): TemplateFunction =>
  ([a, b]) => {
    if (typeof a === 'number' && typeof b === 'number') return holds(a - b);
    return holds(text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0);
  };
const one =
  (apply: (value: TemplateValue) => TemplateValue): TemplateFunction =>
  ([value]) =>
    apply(value);

/** The functions that Prometheus documents for templates, and the built-in ones of Go's templates. */
const functions: Readonly<Record<string, TemplateFunction>> = {
  query: ([query], context) =>
    context.query(text(query)).map(({ labels, value }) => {
      return new TemplateMap({ Labels: new TemplateMap(labels), Value: value });
    }),
  first: ([values]) => {
    const [first] = list(values);
    if (first === undefined) throw new Error('first() called on vector with no elements');
    return first;
  },
  label: ([name, sample]) => map(map(sample).get('Labels')).get(text(name)),
  value: ([sample]) => map(sample).get('Value'),
  strvalue: ([sample]) => map(map(sample).get('Labels')).get('__value__'),
  sortByLabel: ([name, values]) =>
    list(values).toSorted((a, b) => {
      const [left, right] = [a, b].map((sample) => text(map(map(sample).get('Labels')).get(text(name))));
      return (left as string) < (right as string) ? -1 : left === right ? 0 : 1;
    }),
  humanize: one((value) => humanize(number(value))),
  humanize1024: one((value) => humanize1024(number(value))),
  humanizeDuration: one((value) => humanizeDuration(number(value))),
  humanizePercentage: one((value) => humanizePercentage(number(value))),
  humanizeTimestamp: one((value) => humanizeTimestamp(number(value))),
  parseDuration: one((value) => {
    const ms = parseDuration(text(value));
    if (typeof ms !== 'number') throw new Error(`not a valid duration string: "${text(value)}"`);
    return ms / 1000;
  }),
  title: one((value) => text(value).replace(/(^|[^\p{L}\p{N}_'])(\p{L})/gu, (whole) => whole.toUpperCase())),
  toUpper: one((value) => text(value).toUpperCase()),
  toLower: one((value) => text(value).toLowerCase()),
  stripPort: one((value) => text(value).replace(/^\[([^\]]+)\](?::\d+)?$|^([^:]+):\d+$/, '$1$2')),
  stripDomain: one((value) => text(value).replace(/^([^.:]+)\.[^:]*/, '$1')),
  match: ([pattern, value]) => compileRegularExpression(text(pattern)).matcher(text(value)).find(),
  reReplaceAll: ([pattern, replacement, value]) =>
    compileRegularExpression(text(pattern)).matcher(text(value)).replaceAll(text(replacement)),
  graphLink: ([query]) => `/graph?g0.expr=${encodeURIComponent(text(query))}&g0.tab=0`,
  tableLink: ([query]) => `/graph?g0.expr=${encodeURIComponent(text(query))}&g0.tab=1`,
  externalURL: (_args, context) => context.externalUrl,
  pathPrefix: (_args, context) => URL.parse(context.externalUrl)?.pathname.replace(/\/$/, '') ?? '',
  safeHtml: one((value) => value),
  urlQueryEscape: one((value) => encodeURIComponent(text(value)).replaceAll('%20', '+')),
  urlquery: one((value) => encodeURIComponent(text(value)).replaceAll('%20', '+')),
  args: (values) => new TemplateMap(Object.fromEntries(values.map((value, at) => [`arg${at}`, value]))),
  and: (values) => values.find((value) => !isTruthy(value)) ?? values.at(-1),
  or: (values) => values.find(isTruthy) ?? values.at(-1),
  not: one((value) => !isTruthy(value)),
  eq: ([first, ...others]) => others.some((other) => text(first) === text(other)),
  ne: ([a, b]) => text(a) !== text(b),
  lt: compare((order) => order < 0),
  le: compare((order) => order <= 0),
  gt: compare((order) => order > 0),
  ge: compare((order) => order >= 0),
  len: ([value]) => {
    if (value instanceof TemplateMap) return value.size;
    return typeof value === 'string' ? Buffer.byteLength(value) : list(value).length;
  },
  index: ([value, ...keys]) =>
    keys.reduce<TemplateValue>((found, key) => {
      if (found instanceof TemplateMap) return found.get(text(key));
      const item = list(found)[number(key)];
      if (item === undefined) throw new Error(`index out of range: ${text(key)}`);
      return item;
    }, value),
  slice: ([value, from = 0, to]) => {
    const end = to === undefined ? undefined : number(to);
    if (typeof value === 'string') return value.slice(number(from), end);
    return list(value).slice(number(from), end);
  },
  print: (values) => values.map(text).join(''),
  println: (values) => `${values.map(text).join(' ')}\n`,
  printf: ([format, ...values]) => sprintf(text(format), values),
  html: one((value) => text(value).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)),
};

export const templateFunctionNames: ReadonlySet<string> = new Set(Object.keys(functions));

/** @throws Error that names the wrong argument. */
export function callTemplateFunction(
  name: string,
  args: readonly TemplateValue[],
  context: TemplateContext,
): TemplateValue {
  const call = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (call === undefined) throw new Error(`function "${name}" is not defined`);
  return call(args, context);
}
