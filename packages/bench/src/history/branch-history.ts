import { HistoryBranchError } from '../errors.ts';
import { git } from '../process/git.ts';
import { formatCount, formatLatency } from '../result/format.ts';
import type { BenchmarkResult } from '../result/result.ts';
import { type HistoryStore, historyFileName, parseHistory, withLine } from './history.ts';

const attempts = 10;

const nobody = {
  GIT_AUTHOR_NAME: 'weir-bench',
  GIT_AUTHOR_EMAIL: 'weir-bench@localhost',
  GIT_COMMITTER_NAME: 'weir-bench',
  GIT_COMMITTER_EMAIL: 'weir-bench@localhost',
};

/**
 * A history in a branch without the code's commits: one JSON-lines file per benchmark, one commit per run. It uses git's plumbing commands, so
 * that the work tree and the index stay as they are. The branch is updated only from the commit that was read, so concurrent runs lose no
 * result. Without a local branch, that of `origin` is continued; without either, a new one begins.
 */
export function branchHistory(branch: string, directory: string): HistoryStore {
  const ref = `refs/heads/${branch}`;

  const findTip = async (): Promise<string | undefined> => {
    for (const candidate of [ref, `refs/remotes/origin/${branch}`]) {
      const found = await git(directory, ['rev-parse', '--verify', '--quiet', `${candidate}^{commit}`], {
        mayFail: true,
      });
      if (found !== undefined) return found.trim();
    }
    return undefined;
  };
  const readText = async (tip: string | undefined, file: string): Promise<string> =>
    (tip === undefined
      ? undefined
      : await git(directory, ['cat-file', 'blob', `${tip}:${file}`], { mayFail: true })) ?? '';
  /** Refuses a branch that holds code, or cannot hold a history. */
  const assertOurs = async (tip: string | undefined): Promise<void> => {
    const valid = await git(directory, ['check-ref-format', '--branch', branch], { mayFail: true });
    if (valid === undefined) throw new HistoryBranchError(branch, 'is no name for a branch');
    const trees = await git(directory, ['worktree', 'list', '--porcelain']);
    if (trees.split('\n').includes(`branch ${ref}`))
      throw new HistoryBranchError(branch, 'is checked out; a history needs a branch of its own');
    if (tip === undefined) return;
    const names = (await git(directory, ['ls-tree', '-z', '--name-only', tip])).split('\0').filter(Boolean);
    if (!names.every((name) => name.endsWith('.jsonl')))
      throw new HistoryBranchError(branch, 'holds other files; a history needs a branch of its own');
  };

  return {
    async assertWritable() {
      await assertOurs(await findTip());
    },
    async append(result) {
      const file = historyFileName(result.name);
      for (let attempt = 0; attempt < attempts; attempt += 1) {
        const tip = await findTip();
        await assertOurs(tip);
        const text = withLine(await readText(tip, file), result);
        const commit = await writeCommit(directory, { tip, file, text, message: describe(result) });
        const local = await git(directory, ['rev-parse', '--verify', '--quiet', ref], { mayFail: true });
        // The branch must still point to the commit that was read; a new branch must not exist.
        const old = local === undefined ? '0'.repeat(commit.length) : (tip ?? '');
        const moved = await git(directory, ['update-ref', ref, commit, old], { mayFail: true });
        if (moved !== undefined) return `${branch} (${commit.slice(0, 10)})`;
      }
      throw new HistoryBranchError(branch, `moved ${attempts} times while a result was being added`);
    },
    async read(name) {
      const tip = await findTip();
      const text = await readText(tip, historyFileName(name));
      if (text === '')
        throw new HistoryBranchError(
          branch,
          `holds no history of \`${name}\`; append a run, or fetch the branch`,
        );
      return parseHistory(text);
    },
  };
}

interface NewCommit {
  readonly tip: string | undefined;
  readonly file: string;
  readonly text: string;
  readonly message: string;
}

async function writeCommit(directory: string, { tip, file, text, message }: NewCommit): Promise<string> {
  const blob = (await git(directory, ['hash-object', '-w', '--stdin'], { input: text })).trim();
  const listing = tip === undefined ? '' : await git(directory, ['ls-tree', '-z', tip]);
  const others = listing.split('\0').filter((entry) => entry !== '' && !entry.endsWith(`\t${file}`));
  const entries = [...others, `100644 blob ${blob}\t${file}`].map((entry) => `${entry}\0`).join('');
  const tree = (await git(directory, ['mktree', '-z'], { input: entries })).trim();
  const known = await git(directory, ['var', 'GIT_COMMITTER_IDENT'], { mayFail: true });
  const parent = tip === undefined ? [] : ['-p', tip];
  const commit = await git(directory, ['commit-tree', tree, ...parent], {
    input: `${message}\n`,
    ...(known === undefined ? { env: nobody } : {}),
  });
  return commit.trim();
}

function describe({ name, requests, latencyMs, environment }: BenchmarkResult): string {
  const at = environment.commit === undefined ? '' : `\n\nof ${environment.commit}`;
  return `${name}: ${formatCount(requests.perSecond)} answers/s, p99 ${formatLatency(latencyMs.p99)}${at}`;
}
