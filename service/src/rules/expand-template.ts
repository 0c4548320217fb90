import { messageOf } from '../errors.ts';
import {
  type Command,
  type Operand,
  type Pipeline,
  parseTemplate,
  TemplateError,
  type TemplateNode,
} from './parse-template.ts';
import { callTemplateFunction, type TemplateContext } from './template-functions.ts';
import { formatTemplateValue, isTruthy, TemplateMap, type TemplateValue } from './template-values.ts';

/** The data of a template of an alert's label or annotation. */
interface TemplateData extends TemplateContext {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const maxOutput = 65_536;
const parsed = new Map<string, readonly TemplateNode[]>();

/** Why a text is not a template; `undefined` when it is one. */
export function explainTemplate(template: string): string | undefined {
  try {
    parseTemplate(template);
    return undefined;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

/**
 * Expands a template. A failure yields `<error expanding template: …>`, as in Prometheus, so that the alert is still raised.
 */
export function expandTemplate(template: string, data: TemplateData): string {
  if (!template.includes('{{')) return template;
  try {
    let nodes = parsed.get(template);
    if (nodes === undefined) {
      nodes = parseTemplate(template);
      if (parsed.size > 1_000) parsed.clear();
      parsed.set(template, nodes);
    }
    return new Expansion(data).run(nodes);
  } catch (thrown) {
    return `<error expanding template: ${messageOf(thrown)}>`;
  }
}

/** One expansion of a template. */
class Expansion {
  readonly #data: TemplateData;
  readonly #scopes: Map<string, TemplateValue>[];
  #output = '';

  constructor(data: TemplateData) {
    this.#data = data;
    const labels = new TemplateMap(data.labels);
    const root = new TemplateMap({
      Labels: labels,
      Value: data.value,
      ExternalLabels: new TemplateMap({}),
      ExternalURL: data.externalUrl,
    });
    this.#scopes = [
      new Map<string, TemplateValue>([
        ['$', root],
        ['$labels', labels],
        ['$value', data.value],
        ['$externalLabels', new TemplateMap({})],
        ['$externalURL', data.externalUrl],
      ]),
    ];
  }

  run(nodes: readonly TemplateNode[]): string {
    this.#nodes(nodes, this.#lookUp('$'));
    return this.#output;
  }

  #nodes(nodes: readonly TemplateNode[], dot: TemplateValue): void {
    this.#scopes.push(new Map());
    for (const node of nodes) this.#node(node, dot);
    this.#scopes.pop();
  }

  #node(node: TemplateNode, dot: TemplateValue): void {
    if (node.kind === 'text') this.#write(node.text);
    else if (node.kind === 'print') {
      const value = this.#pipeline(node.pipeline, dot);
      if (node.pipeline.variables.length === 0) this.#write(formatTemplateValue(value));
    } else if (node.kind === 'range') this.#range(node, dot);
    else {
      this.#scopes.push(new Map());
      const value = this.#pipeline(node.pipeline, dot);
      if (isTruthy(value)) this.#nodes(node.body, node.kind === 'with' ? value : dot);
      else this.#nodes(node.otherwise, dot);
      this.#scopes.pop();
    }
  }

  #range(node: Extract<TemplateNode, { kind: 'if' | 'with' | 'range' }>, dot: TemplateValue): void {
    const { variables } = node.pipeline;
    const value = this.#pipeline({ ...node.pipeline, variables: [] }, dot);
    let entries: (readonly [TemplateValue, TemplateValue])[] = [];
    if (Array.isArray(value)) entries = value.map((item, at) => [at, item] as const);
    else if (value instanceof TemplateMap) entries = value.entries();
    else if (isTruthy(value))
      throw new TemplateError(`range can't iterate over ${formatTemplateValue(value)}`);
    if (entries.length === 0) this.#nodes(node.otherwise, dot);
    for (const [key, item] of entries) {
      const scope = new Map<string, TemplateValue>();
      const [first, second] = variables;
      if (second !== undefined) scope.set(`$${first}`, key).set(`$${second}`, item);
      else if (first !== undefined) scope.set(`$${first}`, item);
      this.#scopes.push(scope);
      this.#nodes(node.body, item);
      this.#scopes.pop();
    }
  }

  #pipeline({ commands, variables, isAssignment }: Pipeline, dot: TemplateValue): TemplateValue {
    let value: TemplateValue;
    commands.forEach((command, at) => {
      value = this.#command(command, dot, at === 0 ? [] : [value]);
    });
    for (const name of variables) this.#declare(`$${name}`, value, isAssignment);
    return value;
  }

  #command(command: Command, dot: TemplateValue, piped: readonly TemplateValue[]): TemplateValue {
    const [first, ...rest] = command as [Operand, ...Operand[]];
    if (first.kind !== 'function') {
      if (piped.length > 0) throw new TemplateError('a value is piped into something that is not a function');
      return this.#operand(first, dot);
    }
    // `and` and `or` short-circuit, as in Go.
    if ((first.name === 'and' || first.name === 'or') && piped.length === 0) {
      let value: TemplateValue;
      for (const operand of rest) {
        value = this.#operand(operand, dot);
        if (isTruthy(value) === (first.name === 'or')) break;
      }
      return value;
    }
    const args = [...rest.map((operand) => this.#operand(operand, dot)), ...piped];
    return callTemplateFunction(first.name, args, this.#data);
  }

  #operand(operand: Operand, dot: TemplateValue): TemplateValue {
    switch (operand.kind) {
      case 'constant':
        return operand.value ?? undefined;
      case 'function':
        return callTemplateFunction(operand.name, [], this.#data);
      case 'variable':
        return fieldsOf(operand.name === '' ? dot : this.#lookUp(operand.name), operand.fields);
      case 'pipeline':
        return fieldsOf(this.#pipeline(operand.pipeline, dot), operand.fields);
    }
  }

  #lookUp(name: string): TemplateValue {
    for (let at = this.#scopes.length - 1; at >= 0; at--) {
      const scope = this.#scopes[at];
      if (scope?.has(name) === true) return scope.get(name);
    }
    throw new TemplateError(`undefined variable "${name}"`);
  }

  #declare(name: string, value: TemplateValue, isAssignment: boolean): void {
    const scope = isAssignment ? this.#scopes.findLast((one) => one.has(name)) : this.#scopes.at(-1);
    if (scope === undefined) throw new TemplateError(`undefined variable "${name}"`);
    scope.set(name, value);
  }

  #write(text: string): void {
    this.#output += text;
    if (this.#output.length > maxOutput) throw new TemplateError(`the text exceeds ${maxOutput} characters`);
  }
}

function fieldsOf(value: TemplateValue, fields: readonly string[]): TemplateValue {
  let found = value;
  for (const field of fields) {
    if (!(found instanceof TemplateMap))
      throw new TemplateError(`can't evaluate field ${field} of ${formatTemplateValue(found)}`);
    found = found.get(field);
  }
  return found;
}
