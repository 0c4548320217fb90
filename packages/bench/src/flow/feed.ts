import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ScenarioFileError } from '../errors.ts';

/** A row of a feed: named values. */
export type FeedRow = Readonly<Record<string, unknown>>;

/**
 * Reads a feed: a `.csv` file whose first line names the columns, or a `.json` file with a list of objects.
 *
 * @throws {@link ScenarioFileError} with one line naming the file and the mistake's line
 */
export function readFeed(file: string, directory: string): readonly FeedRow[] {
  let text: string;
  try {
    text = readFileSync(resolve(directory, file), 'utf8');
  } catch (cause) {
    throw new ScenarioFileError(
      `${file}: the feed cannot be read (${(cause as NodeJS.ErrnoException).code}). Check the path.`,
      { cause },
    );
  }
  const rows = file.endsWith('.json') ? parseJsonRows(text, file) : parseCsv(text, file);
  if (rows.length === 0) throw new ScenarioFileError(`${file}: the feed has no rows. Add at least one.`);
  return rows;
}

function parseJsonRows(text: string, file: string): FeedRow[] {
  let rows: unknown;
  try {
    rows = JSON.parse(text);
  } catch (cause) {
    throw new ScenarioFileError(
      `${file}: the feed is not JSON: ${(cause as Error).message.split('\n', 1)[0]}`,
      { cause },
    );
  }
  const isRow = (row: unknown): row is FeedRow =>
    typeof row === 'object' && row !== null && !Array.isArray(row);
  if (!Array.isArray(rows) || !rows.every(isRow)) {
    throw new ScenarioFileError(`${file}: expected a list of objects, one for each row of the feed.`);
  }
  return rows;
}

/** CSV of RFC 4180: commas, quotes doubled inside quotes, line breaks inside quotes, CRLF or LF, an optional byte order mark. */
export function parseCsv(text: string, file: string): FeedRow[] {
  const [columns, ...lines] = splitRecords(text.replace(/^\uFEFF/, ''), file);
  if (columns === undefined) return [];
  const { fields: names } = columns;
  if (new Set(names).size !== names.length || names.some((name) => name.trim() === '')) {
    throw new ScenarioFileError(`${file}: line 1: every column needs a name of its own.`);
  }
  return lines.map(({ fields, line }) => {
    if (fields.length !== names.length) {
      throw new ScenarioFileError(
        `${file}: line ${line}: expected ${names.length} values, got ${fields.length}.`,
      );
    }
    return Object.fromEntries(names.map((name, index) => [name.trim(), fields[index]]));
  });
}

interface CsvRecord {
  readonly line: number;
  readonly fields: string[];
}

function splitRecords(text: string, file: string): CsvRecord[] {
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;
  const records: CsvRecord[] = [];
  let fields: string[] = [];
  let line = 1;
  let recordLine = 1;
  while (field.lastIndex < text.length || fields.length > 0) {
    const match = field.exec(text);
    if (match === null)
      throw new ScenarioFileError(`${file}: line ${line}: a quote is not closed, or stands inside a value.`);
    const [whole, quoted, plain = '', separator] = match;
    fields.push(quoted?.replaceAll('""', '"') ?? plain);
    line += whole.split('\n').length - 1;
    if (separator === ',') continue;
    // A line with nothing on it is no record.
    if (fields.length > 1 || quoted !== undefined || plain !== '') records.push({ line: recordLine, fields });
    fields = [];
    recordLine = line;
    if (separator === '') break;
  }
  return records;
}
