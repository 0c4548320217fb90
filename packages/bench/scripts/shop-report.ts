/**
 * `pnpm report:shop`: compares the shop with itself doing a little more per request, as the CI job compares a pull request with its base, and
 * puts the job's report into the README. About three minutes, alone on the machine.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startPostgres } from '@weir/test-kit';
import { type Arm, compareBuilds, profileBuilds, renderReport } from '../src/index.ts';

const root = join(import.meta.dirname, '../../..');
const readme = join(import.meta.dirname, '../README.md');
const database = await startPostgres();
const { requests, ...scenario } = JSON.parse(await readFile(join(root, '.github/bench/shop.json'), 'utf8'));

function arm(label: string, options: string): Arm {
  const start = {
    ...scenario.start,
    command: `exec "${process.execPath}" --conditions=@weir/source ${options} examples/shop/src/main.ts`,
    env: { DATABASE_URL: database.url },
  };
  return { directory: root, start, label };
}

try {
  const builds = {
    base: arm('the shop', ''),
    head: arm('the shop with slow code', `--import "${join(import.meta.dirname, 'slow-requests.ts')}"`),
    scenario: { name: scenario.name, target: scenario.target, requests },
  };
  const result = await compareBuilds({
    ...builds,
    onPair: ({ pairs, nextLook }) => console.log(`pair ${pairs}/${nextLook}`),
  });
  const profile = result.verdict === 'slower' ? await profileBuilds(builds) : undefined;
  const subject = { kind: 'comparison', result, ...(profile === undefined ? {} : { profile }) } as const;
  const report = renderReport(subject, 'markdown').trim().replace(/^### /, '**').replace(/\n/, '**\n');
  const text = await readFile(readme, 'utf8');
  const [begin, end] = ['<!-- shop report: pnpm report:shop -->\n', '<!-- end of the shop report -->'];
  const from = text.indexOf(begin) + begin.length;
  await writeFile(readme, `${text.slice(0, from)}\n${report}\n\n${text.slice(text.indexOf(end))}`);
  console.log(report);
} finally {
  await database.stop();
}
