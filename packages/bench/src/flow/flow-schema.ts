import * as z from 'zod';
import { headersSchema, methodSchema, pathStart, wholeMs } from '../request-schema.ts';
import type { Auth, Flow } from './flow.ts';
import { explainTemplate } from './template.ts';

const template = z.string().superRefine((text, context) => {
  const message = explainTemplate(text);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

const regexSource = z.string().refine((source) => {
  try {
    new RegExp(source);
    return true;
  } catch {
    return false;
  }
}, 'expected a regular expression');

const checkSchema = z.strictObject({
  status: z.union([z.int().min(100).max(599), z.array(z.int().min(100).max(599)).min(1)]).optional(),
  contains: z.string().min(1).optional(),
  json: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
  maxMs: z.number().positive().optional(),
});

const saveSchema = z.union([
  z.strictObject({ json: z.string().min(1) }),
  z.strictObject({ header: z.string().min(1) }),
  z.strictObject({ regex: regexSource }),
]);

const variable = z.string().regex(/^[A-Za-z_$][\w$-]*$/, 'expected a name of letters, digits, `_` or `-`');

const stepSchema = z.strictObject({
  name: z.string().min(1).max(100).optional(),
  method: methodSchema.default('GET'),
  path: template.refine(
    (path) => pathStart.test(path.replace(/\{\{[^{}]*\}\}/g, 'x')),
    'expected a path that begins with `/`, without spaces',
  ),
  headers: headersSchema(template).default({}),
  body: template.optional(),
  check: checkSchema.optional(),
  save: z.record(variable, saveSchema).optional(),
  thinkMs: wholeMs(0, 3_600_000).default(0),
});

const flows = z
  .array(
    z.strictObject({
      name: z.string().min(1).max(100),
      weight: z.number().positive().max(1_000).default(1),
      steps: z.array(stepSchema).min(1).max(1_000),
    }),
  )
  .min(1)
  .max(100);

const feeds = z.record(variable, z.string().regex(/\.(?:csv|json)$/, 'expected a .csv or .json file'));

const auth = z.union([
  z.strictObject({ bearer: template }),
  z.strictObject({ basic: z.strictObject({ user: template, password: template }) }),
]);

// The checked values have the declared types; the casts hide only what zod infers beside them.

/** Checks `flows`. */
export const flowsSchema: z.ZodType<readonly Flow[]> = flows as unknown as z.ZodType<readonly Flow[]>;

/** Checks `feeds`. */
export const feedsSchema: z.ZodType<Readonly<Record<string, string>>> = feeds;

/** Checks `auth`. */
export const authSchema: z.ZodType<Auth> = auth;
