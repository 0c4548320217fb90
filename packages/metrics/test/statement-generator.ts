/**
 * Makes statements by seed: a skeleton of code, operators and literals that can be written repeatedly with other literals, blanks, comments and
 * spellings. Each literal and each comment holds MARK; numbers hold DIGITS.
 */
import { seededRandom } from '@weir/test-kit';

export const MARK = 's3cr3t';
export const DIGITS = '748091';

type Random = () => number;
/** A piece of a skeleton: fixed code, one of several spellings, or a piece drawn at each writing. */
type Part = string | ((random: Random) => string);

const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
const upTo = (random: Random, count: number): number => 1 + Math.floor(random() * count);

/** The literals, operators, names, blanks and comments of a product under one setting of its session. */
export interface Grammar {
  /** Literals whose end is unambiguous. */
  readonly literals: readonly ((random: Random) => string)[];
  /** Each in all its spellings. */
  readonly operators: readonly (readonly string[])[];
  readonly names: readonly string[];
  readonly comments: readonly ((random: Random) => string)[];
  readonly placeholders: readonly string[];
}

const word = (random: Random): string => `${MARK}${Math.floor(random() * 1e9).toString(36)}`;
/** Text that is awkward outside of quotes and holds any quotes except `quote`. */
const text =
  (quote: string) =>
  (random: Random): string =>
    Array.from({ length: upTo(random, 3) }, () =>
      pick(
        random,
        [
          word(random),
          ' ',
          '--',
          '/*',
          '*/',
          '#',
          ';',
          '$$',
          '?',
          ',',
          ')',
          '"',
          "'",
          '`',
          '[',
          ' = ',
        ].filter((piece) => piece !== quote),
      ),
    ).join('') + word(random);
const number = (random: Random): string =>
  pick(random, [DIGITS, `${DIGITS}.${DIGITS}`, `.${DIGITS}`, `${DIGITS}e5`, `0x${DIGITS}`, `${DIGITS}.5E-3`]);
const single = (random: Random): string => `'${text("'")(random)}'`;
const doubled = (random: Random): string => `'it''s ${text("'")(random)}'''`;
const plainBackslash = (random: Random): string => `'${text("'")(random)}\\'`;
const escaped = (random: Random): string => `'it\\'s ${text("'")(random)}\\\\'`;
const doubleQuoted = (random: Random): string => `"${text('"')(random)}"`;
const lines: readonly ((random: Random) => string)[] = [
  (random) => `-- don't ${text('\n')(random)}\n`,
  (random) => `/* don't ${word(random)} " \` */`,
];

const comparisons = [['='], ['<>', '!='], ['<'], ['>'], ['<='], ['>=']];
const arithmetic = [['+'], ['*'], ['/'], ['%']];

const postgres: Grammar = {
  literals: [
    number,
    single,
    doubled,
    (random) => `E'\\'${text("'")(random)}\\\\'`,
    (random) => `e'a'\n'${word(random)}\\'${word(random)}'`,
    (random) => `$$${word(random)}' "${word(random)}$$`,
    (random) => `$tag$ $$ ' ${word(random)} $tag$`,
    (random) => `U&'\\0061${word(random)}'`,
    (random) => `'a' -- ${word(random)}'\n '${word(random)}'`,
  ],
  operators: [
    ...comparisons,
    ...arithmetic,
    ['||'],
    ['->'],
    ['->>'],
    ['#>>'],
    ['@>'],
    ['~'],
    ['~*'],
    ['LIKE', '~~'],
    ['^'],
    ['&'],
    ['|'],
    ['#'],
    ['@@'],
  ],
  names: ['col', 't.col', '"it\'s"', 't."o""k"', '"--"', '"$$"', 'col$'],
  comments: [
    ...lines,
    (random) => `/* ${word(random)} /* ' */ " ${word(random)} */`,
    (random) => `--${word(random)}'\r`,
  ],
  placeholders: ['$1', '$2'],
};

const mysqlOperators = [
  ...comparisons,
  ...arithmetic,
  ['<=>'],
  ['||'],
  ['&&', 'AND'],
  ['LIKE'],
  ['DIV'],
  ['&'],
  ['|'],
  ['^'],
  ['<<'],
];
const mysql = (literals: Grammar['literals']): Grammar => ({
  literals: [
    number,
    single,
    doubled,
    (random) => `_utf8mb4'${text("'")(random)}'`,
    (random) => `N'${text("'")(random)}'`,
    (random) => `'a' '${word(random)}'`,
    ...literals,
  ],
  operators: mysqlOperators,
  names: ['col', "`it's`", '`t`.`from`', '`a``b`', '`--`', '`"`', '`#`'],
  comments: [
    ...lines,
    (random) => `# don't ${word(random)}"\n`,
    (random) => `/*!999999 + 1 */ -- \t${word(random)}\n`,
  ],
  placeholders: ['?'],
});

const sqlite: Grammar = {
  literals: [
    number,
    single,
    doubled,
    plainBackslash,
    (random) => `x'${DIGITS}${random() < 0.5 ? 'ab' : 'cd'}'`,
  ],
  operators: [
    ...comparisons.slice(1),
    ['=', '=='],
    ...arithmetic,
    ['||'],
    ['->'],
    ['->>'],
    ['LIKE'],
    ['GLOB'],
    ['&'],
    ['|'],
    ['<<'],
  ],
  names: ['col', 't.col', "`it's`", "[it's]", 't."o""k"', 'col$'],
  comments: lines,
  placeholders: ['?', '?2', ':name', '@name', '$name'],
};

const tsql: Grammar = {
  literals: [number, single, doubled, (random) => `N'${text("'")(random)}'`, () => `$${DIGITS}.5`],
  operators: [...comparisons, ['!<'], ['!>'], ...arithmetic, ['LIKE'], ['^'], ['|']],
  names: ['col', "[it's]", '[dbo].[o"k]', "t.[a]]'b]", "[dbo].[a'b].[--]"],
  comments: [...lines, (random) => `/* ${word(random)} /* ' */ " ${word(random)} */`],
  placeholders: ['@p1', '@name', '@@ROWCOUNT'],
};

const oracle: Grammar = {
  literals: [
    number,
    single,
    doubled,
    (random) => `q'[it's ${word(random)}]'`,
    (random) => `NQ'{it's "${word(random)}"}'`,
    (random) => `Q'!it's ${word(random)}!'`,
    (random) => `DATE '${word(random)}'`,
    (random) => `N'${text("'")(random)}'`,
  ],
  operators: [...comparisons, ['^='], ...arithmetic, ['**'], ['||'], ['LIKE']],
  names: ['col', '"it\'s"', 't."--"', 'col#'],
  comments: [...lines, (random) => `/*+ INDEX(t ${word(random)}) */`],
  placeholders: [':1', ':name'],
};

/** Grammars of products without a dialect, which speak another product's protocol. */
export const foreign = { 'T-SQL': tsql, Oracle: oracle } as const satisfies Record<string, Grammar>;

/** Grammars by product and setting. */
export const grammars = {
  postgresql: { ...postgres, literals: [...postgres.literals, plainBackslash] },
  'postgresql with standard_conforming_strings off': {
    ...postgres,
    literals: [...postgres.literals.filter((_form, index) => index !== 7), escaped],
  },
  mysql: mysql([escaped, doubleQuoted, (random) => `'a' "${word(random)}"`]),
  'mysql with NO_BACKSLASH_ESCAPES': mysql([
    plainBackslash,
    doubleQuoted,
    (random) => `"${text('"')(random)}\\"`,
  ]),
  'mysql with ANSI_QUOTES': { ...mysql([escaped]), names: [...mysql([]).names, '"it\'s"', '"a""b"'] },
  sqlite,
} as const satisfies Record<string, Grammar>;

class Skeletons {
  readonly #random: Random;
  readonly #grammar: Grammar;

  constructor(grammar: Grammar, random: Random) {
    this.#grammar = grammar;
    this.#random = random;
  }

  get #literal(): Part {
    return (random) => pick(random, this.#grammar.literals)(random);
  }

  // A literal in one writing may be a placeholder in the next.
  get #value(): Part {
    const { placeholders } = this.#grammar;
    return this.#random() < 0.3 ? (random) => pick(random, placeholders) : this.#literal;
  }

  get #operator(): Part {
    const spellings = pick(this.#random, this.#grammar.operators);
    return (random) => pick(random, spellings);
  }

  get #name(): Part {
    return pick(this.#random, this.#grammar.names);
  }

  #list(): Part[] {
    return [
      '(',
      (random) =>
        Array.from({ length: upTo(random, 4) }, () => pick(random, this.#grammar.literals)(random)).join(
          ' , ',
        ),
      ')',
    ];
  }

  #expression(depth: number): Part[] {
    const random = this.#random;
    const kind = depth > 2 ? 0 : Math.floor(random() * 9);
    if (kind <= 2) return [this.#value];
    if (kind === 3) return [this.#name];
    if (kind <= 5) return [...this.#expression(3), this.#operator, '(', ...this.#expression(depth + 1), ')'];
    if (kind === 6) return ['(', ...this.#expression(depth + 1), ')'];
    if (kind === 7) return ['coalesce', '(', ...this.#expression(depth + 1), ',', this.#value, ')'];
    return ['CASE', 'WHEN', this.#name, '=', this.#value, 'THEN', this.#value, 'ELSE', this.#value, 'END'];
  }

  #condition(): Part[] {
    const kind = Math.floor(this.#random() * 3);
    if (kind === 0) return [this.#name, 'IN', ...this.#list()];
    if (kind === 1) return [this.#name, 'BETWEEN', this.#value, 'AND', this.#value];
    return ['(', ...this.#expression(1), ')', '=', this.#value];
  }

  statement(): Part[] {
    const kind = Math.floor(this.#random() * 4);
    if (kind === 0) {
      const rows: Part = (random) =>
        Array.from(
          { length: upTo(random, 4) },
          () => `(${pick(random, this.#grammar.literals)(random)} , ${number(random)})`,
        ).join(' , ');
      return ['INSERT INTO t', '(', 'col', ',', 'amount', ')', 'VALUES', rows];
    }
    if (kind === 1) return ['UPDATE t SET col', '=', ...this.#expression(1), 'WHERE', ...this.#condition()];
    if (kind === 2)
      return ['DELETE FROM t', 'WHERE', ...this.#condition(), 'AND', 'amount', '=', this.#value];
    return [
      ...['SELECT', '*', ',', ...this.#expression(0), ',', this.#literal, 'AS', 'alias'],
      ...[
        'FROM t',
        'WHERE',
        ...this.#condition(),
        'AND',
        ...this.#condition(),
        'ORDER BY col',
        'LIMIT',
        `${DIGITS}`,
      ],
    ];
  }
}

const WORDY = /[\w$\u0080-\uffff]/;
const SIGN = /[+\-*/<>=~!@#%^&|?:.]/;

// Whether two pieces may be adjacent: together they must not form a word, number, operator, comment or string prefix.
function canTouch(left: string, right: string): boolean {
  const before = left.at(-1) as string;
  const after = right[0] as string;
  if (WORDY.test(before))
    return !(
      WORDY.test(after) ||
      after === "'" ||
      after === '"' ||
      after === '&' ||
      after === '.' ||
      after === '('
    );
  if (SIGN.test(before)) return !SIGN.test(after) && !(before === '?' && WORDY.test(after));
  // A string that follows a string continues it.
  if (before === "'" || before === '"') return !/['"]/.test(after);
  return true;
}

/** Writes a skeleton out. */
function write(parts: readonly Part[], { comments }: Grammar, random: Random): string {
  let written = '';
  for (const part of parts) {
    const piece = typeof part === 'string' ? part : part(random);
    const cased =
      typeof part === 'string' && random() < 0.3 && /^[A-Z ]+$/.test(part) ? part.toLowerCase() : piece;
    if (written !== '') {
      const gap = random();
      const comment = pick(random, comments)(random);
      if (gap < 0.35 && canTouch(written, cased)) written += '';
      else if (gap < 0.5 && !/[-/]$/.test(written)) written += comment;
      else written += gap < 0.6 ? ` ${comment} ` : pick(random, [' ', '\n', '\t', ' \r\n ']);
    }
    written += cased;
  }
  return written;
}

/** Statements by seed, each written twice. */
export function* statements(
  grammar: Grammar,
  seed: number,
  count: number,
): Generator<readonly [string, string]> {
  const random = seededRandom(seed);
  const skeletons = new Skeletons(grammar, random);
  for (let index = 0; index < count; index += 1) {
    const parts = skeletons.statement();
    yield [write(parts, grammar, random), write(parts, grammar, random)];
  }
}
