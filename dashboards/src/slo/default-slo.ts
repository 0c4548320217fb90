import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { parseSlo, type Slo } from './slo.ts';

/** The objectives of this package's own `slo.yml`, which also shows the file's form. */
export function defaultSlo(): Slo {
  return parseSlo(parse(readFileSync(new URL('../../slo.yml', import.meta.url), 'utf8')));
}
