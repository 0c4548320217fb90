/** A piece of a template: text, a value to print, or a control structure with what it holds. */
export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipeline: Pipeline;
      readonly body: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    };

/** `$a, $b := command | command`: each command gets the result of the one before as its last argument. */
export interface Pipeline {
  readonly variables: readonly string[];
  /** `=` instead of `:=`: the variable is there already. */
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
