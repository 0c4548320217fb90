/** What the process ends with: scripts may rely on them. */
export const exitCodes: { readonly ok: 0; readonly failed: 1; readonly notFound: 2; readonly usage: 64 } = {
  ok: 0,
  failed: 1,
  notFound: 2,
  usage: 64,
};

export const usage: string = `Usage: weir-cache <command> --cache <name> [options]

  inspect             entries with their life and size, found by SCAN
  get <namespace:key> one entry, decoded; ad-hoc keys have the namespace ~
  del <namespace:key> removes one entry; every instance drops it. \`get\` and \`del\`
                      take names as \`inspect\` prints them, hashes and quotes too
  tags                tags with their versions
  tags <tag>...       invalidates them; needs --yes

  --url <url>         default: REDIS_URL, else redis://127.0.0.1:6379
  --match <glob>      of namespace:key or tag, default *
  --limit <n>         default 100
  --version <v>       of the cache, default 1
  --prefix <p>        default weir
  --json              one JSON object a line

Ends with 0, 1 (failed), 2 (no such entry) or 64 (usage).`;

/** A failure that says all there is to say: printed without a stack. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}
