import { unquote } from '@weir/promql';
import { templateFunctionNames } from './template-functions.ts';

/** A syntax or evaluation error of a template. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

type Block = Extract<TemplateNode, { kind: 'if' | 'with' | 'range' }>;

const maxDepth = 50;
const maxLength = 65_536;
const word =
  /\s*(?:("(?:[^"\\\n]|\\.)*"|`[^`]*`)|([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])|(\$?\w*(?:\.\w+)+|\$\w*|\w+|\.)|(:=|[|(),=]))/y;

interface Piece {
  readonly text: string;
  /** `undefined` for plain text. */
  readonly action: string | undefined;
}

/**
 * Parses a template in the language of Go's text/template, as far as Prometheus documents it for alerts: values, pipelines,
 * variables, `if`, `else if`, `with` and `range`, without `break`, `continue` and named templates.
 * @throws TemplateError
 */
export function parseTemplate(source: string): readonly TemplateNode[] {
  if (source.length > maxLength) throw new TemplateError(`it is longer than ${maxLength} characters`);
  const reader = new PieceReader(split(source));
  const nodes = readNodes(reader, 0, ['$labels', '$value', '$externalLabels', '$externalURL', '$']);
  if (reader.next() !== undefined) throw new TemplateError('unexpected {{end}} or {{else}}');
  return nodes;
}

class PieceReader {
  readonly #pieces: readonly Piece[];
  #at = 0;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  peek(): Piece | undefined {
    return this.#pieces[this.#at];
  }

  next(): Piece | undefined {
    return this.#pieces[this.#at++];
  }
}

// Alternating text and actions; `{{-` and `-}}` trim the adjacent white space.
function split(source: string): Piece[] {
  const pieces: Piece[] = [];
  const action =
    /\{\{(-\s)?(?:\s*(\/\*[\s\S]*?\*\/)\s*?|((?:"(?:[^"\\\n]|\\.)*"|`[^`]*`|(?!\}\})[^"`])*?))(\s-)?\}\}/g;
  let at = 0;
  let trims = false;
  for (const match of source.matchAll(action)) {
    const between = source.slice(at, match.index);
    pushText(pieces, between, trims, match[1] !== undefined);
    if (match[2] === undefined) pieces.push({ text: '', action: (match[3] ?? '').trim() });
    trims = match[4] !== undefined;
    at = match.index + match[0].length;
  }
  pushText(pieces, source.slice(at), trims, false);
  return pieces;
}

function pushText(pieces: Piece[], text: string, trimsStart: boolean, trimsEnd: boolean): void {
  if (text.includes('{{')) throw new TemplateError('an action is not closed: expected }}');
  let kept = text;
  if (trimsStart) kept = kept.trimStart();
  if (trimsEnd) kept = kept.trimEnd();
  if (kept !== '') pieces.push({ text: kept, action: undefined });
}

function readNodes(reader: PieceReader, depth: number, scope: readonly string[]): TemplateNode[] {
  if (depth > maxDepth) throw new TemplateError(`blocks are nested deeper than ${maxDepth}`);
  const nodes: TemplateNode[] = [];
  const known = [...scope];
  for (let piece = reader.peek(); piece !== undefined; piece = reader.peek()) {
    const { action, text } = piece;
    const keyword = /^[a-z]+/.exec(action ?? '')?.[0];
    if (keyword === 'end' || keyword === 'else') return nodes;
    reader.next();
    if (action === undefined) nodes.push({ kind: 'text', text });
    else if (keyword === 'if' || keyword === 'with' || keyword === 'range')
      nodes.push(readBlock(reader, keyword, action.slice(keyword.length), depth, known));
    else if (['define', 'template', 'block', 'break', 'continue'].includes(keyword ?? ''))
      throw new TemplateError(`{{${keyword}}} is not supported`);
    else {
      const pipeline = new PipelineReader(action, known).whole();
      known.push(...pipeline.variables.map((name) => `$${name}`));
      nodes.push({ kind: 'print', pipeline });
    }
  }
  return nodes;
}

function readBlock(
  reader: PieceReader,
  kind: Block['kind'],
  head: string,
  depth: number,
  scope: readonly string[],
): Block {
  const pipeline = new PipelineReader(head, scope).whole();
  const inner = [...scope, ...pipeline.variables.map((name) => `$${name}`)];
  const body = readNodes(reader, depth + 1, inner);
  const closing = reader.next()?.action;
  if (closing === undefined) throw new TemplateError(`{{${kind}}} has no {{end}}`);
  if (closing === 'end') return { kind, pipeline, body, otherwise: [] };
  const chained = /^else\s+(if|with)\s/.exec(closing);
  if (chained !== null) {
    const next = chained[1] as 'if' | 'with';
    return {
      kind,
      pipeline,
      body,
      otherwise: [readBlock(reader, next, closing.slice(chained[0].length), depth + 1, inner)],
    };
  }
  if (closing !== 'else') throw new TemplateError(`expected {{else}} or {{end}}, got {{${closing}}}`);
  const otherwise = readNodes(reader, depth + 1, inner);
  if (reader.next()?.action !== 'end') throw new TemplateError(`{{${kind}}} has no {{end}}`);
  return { kind, pipeline, body, otherwise };
}

/** Parses the action between `{{` and `}}`. */
class PipelineReader {
  readonly #text: string;
  readonly #scope: readonly string[];
  readonly #words: RegExpExecArray[] = [];
  #at = 0;
  #depth = 0;

  constructor(text: string, scope: readonly string[]) {
    this.#text = text;
    this.#scope = scope;
    const pattern = new RegExp(word);
    while (pattern.lastIndex < text.trimEnd().length) {
      const from = pattern.lastIndex;
      const match = pattern.exec(text);
      if (match === null) throw new TemplateError(`cannot read \`${text.slice(from).trim()}\``);
      this.#words.push(match);
    }
  }

  whole(): Pipeline {
    const pipeline = this.#pipeline();
    if (this.#at < this.#words.length) throw this.#unexpected();
    return pipeline;
  }

  #pipeline(): Pipeline {
    const { variables, isAssignment } = this.#declaration();
    const commands: Command[] = [this.#command()];
    while (this.#take('|')) commands.push(this.#command());
    return { variables, isAssignment, commands };
  }

  #declaration(): Pick<Pipeline, 'variables' | 'isAssignment'> {
    const names: string[] = [];
    const start = this.#at;
    while (/^\$\w+$/.test(this.#words[this.#at]?.[3] ?? '')) {
      names.push((this.#words[this.#at] as RegExpExecArray)[3]?.slice(1) ?? '');
      this.#at++;
      if (this.#take(':=')) return { variables: names, isAssignment: false };
      if (this.#take('=')) return { variables: names, isAssignment: true };
      if (!this.#take(',')) break;
    }
    this.#at = start;
    return { variables: [], isAssignment: false };
  }

  #command(): Command {
    const operands: Operand[] = [];
    for (let operand = this.#operand(); operand !== undefined; operand = this.#operand())
      operands.push(operand);
    const [first] = operands;
    if (first === undefined) throw this.#unexpected();
    if (first.kind !== 'function' && operands.length > 1)
      throw new TemplateError(
        `cannot give arguments to something that is not a function in \`${this.#text.trim()}\``,
      );
    return operands;
  }

  #operand(): Operand | undefined {
    const next = this.#words[this.#at];
    if (next === undefined) return undefined;
    const [, text, digits, name, sign] = next;
    if (sign === '(') {
      this.#at++;
      if (++this.#depth > maxDepth) throw new TemplateError(`parentheses are nested deeper than ${maxDepth}`);
      const pipeline = this.#pipeline();
      if (!this.#take(')')) throw this.#unexpected();
      this.#depth--;
      return { kind: 'pipeline', pipeline, fields: this.#fields() };
    }
    if (sign !== undefined) return undefined;
    this.#at++;
    if (text !== undefined) return { kind: 'constant', value: unquote(text) };
    if (digits !== undefined) return { kind: 'constant', value: Number(digits) };
    return this.#named(name as string);
  }

  #named(name: string): Operand {
    if (name === 'true' || name === 'false') return { kind: 'constant', value: name === 'true' };
    if (name === 'nil') return { kind: 'constant', value: null };
    if (!name.startsWith('$') && !name.startsWith('.')) {
      if (templateFunctionNames.has(name)) return { kind: 'function', name };
      throw new TemplateError(`function "${name}" is not defined or not supported`);
    }
    const [root = '', ...fields] = name.split('.').filter((part, at) => at === 0 || part !== '');
    if (root !== '' && !this.#scope.includes(root)) throw new TemplateError(`undefined variable "${root}"`);
    return { kind: 'variable', name: root.startsWith('$') ? root : '', fields };
  }

  // `(query "up" | first).Value`: fields follow the parenthesis without white space.
  #fields(): string[] {
    const next = this.#words[this.#at];
    const before = this.#words[this.#at - 1];
    const isAdjacent =
      next?.[3]?.startsWith('.') === true &&
      next[3].length > 1 &&
      !/^\s/.test(next[0]) &&
      before !== undefined;
    if (!isAdjacent) return [];
    this.#at++;
    return (next[3] as string).slice(1).split('.');
  }

  #take(sign: string): boolean {
    if (this.#words[this.#at]?.[4] !== sign) return false;
    this.#at++;
    return true;
  }

  #unexpected(): TemplateError {
    const next = this.#words[this.#at]?.[0].trim();
    return new TemplateError(
      next === undefined
        ? `expected a value in \`{{${this.#text.trim()}}}\``
        : `unexpected \`${next}\` in \`{{${this.#text.trim()}}}\``,
    );
  }
}

/** A node of a template: text, a value to print, or a control structure with its body. */
export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipeline: Pipeline;
      readonly body: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    };

/** `$a, $b := command | command`: each command gets the result of the previous one as its last argument. */
export interface Pipeline {
  readonly variables: readonly string[];
  /** `=` instead of `:=`: the variable exists already. */
  readonly isAssignment: boolean;
  readonly commands: readonly Command[];
}

/** A function with its arguments, or a single value. */
export type Command = readonly Operand[];

export type Operand =
  | { readonly kind: 'constant'; readonly value: string | number | boolean | null }
  | { readonly kind: 'function'; readonly name: string }
  /** `$name.field.field`, `.field`; the name is `''` for the dot. */
  | { readonly kind: 'variable'; readonly name: string; readonly fields: readonly string[] }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline; readonly fields: readonly string[] };
