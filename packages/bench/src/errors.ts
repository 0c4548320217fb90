/**
 * Codes of every error that this package throws on purpose. They are stable; each message names the repair.
 *
 * | code | meaning |
 * | --- | --- |
 * | `ERR_WEIR_BENCH_SCENARIO` | the scenario has mistakes; `issues` lists every one with its path |
 * | `ERR_WEIR_BENCH_FILE` | the scenario file is missing, unreadable or does not export a scenario |
 * | `ERR_WEIR_BENCH_TARGET_REFUSED` | the target, or where it redirects to, is not on the allow-list |
 * | `ERR_WEIR_BENCH_UNREACHABLE` | nothing answers at the target |
 * | `ERR_WEIR_BENCH_START` | a start or set-up command failed, its server never answered, or its port was taken |
 * | `ERR_WEIR_BENCH_TARGET_ENDED` | the target that `start` began ended during the run |
 * | `ERR_WEIR_BENCH_GENERATOR` | the process that makes the load ended early |
 * | `ERR_WEIR_BENCH_PROFILE` | a build could not be profiled |
 * | `ERR_WEIR_BENCH_ARM` | an arm of a comparison is no directory, commit or command |
 * | `ERR_WEIR_BENCH_HISTORY` | a branch cannot hold a history, or holds none of that name |
 * | `ERR_WEIR_BENCH_SERVICE` | the service cannot be reached, or refuses |
 * | `ERR_WEIR_BENCH_OPTION` | an option has a value that cannot be used |
 */
export type BenchErrorCode =
  | 'ERR_WEIR_BENCH_SCENARIO'
  | 'ERR_WEIR_BENCH_FILE'
  | 'ERR_WEIR_BENCH_TARGET_REFUSED'
  | 'ERR_WEIR_BENCH_UNREACHABLE'
  | 'ERR_WEIR_BENCH_START'
  | 'ERR_WEIR_BENCH_TARGET_ENDED'
  | 'ERR_WEIR_BENCH_GENERATOR'
  | 'ERR_WEIR_BENCH_PROFILE'
  | 'ERR_WEIR_BENCH_ARM'
  | 'ERR_WEIR_BENCH_HISTORY'
  | 'ERR_WEIR_BENCH_SERVICE'
  | 'ERR_WEIR_BENCH_OPTION';

/** Base class of every error that this package throws on purpose. */
export class BenchError extends Error {
  override readonly name: string = 'BenchError';
  readonly code: BenchErrorCode;

  constructor(code: BenchErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** One mistake in a scenario: where (`requests[0].path`) and what to do. */
export interface ScenarioIssue {
  readonly path: string;
  readonly message: string;
}

/** Mistakes in a scenario, thrown by `defineBench`, `parseScenario` and `loadScenario`. Its message names every mistake in one line. */
export class ScenarioError extends BenchError {
  override readonly name = 'ScenarioError';
  readonly issues: readonly ScenarioIssue[];

  constructor(issues: readonly ScenarioIssue[], source?: string) {
    const list = issues.map((issue) => `${issue.path}: ${issue.message}`).join('; ');
    super('ERR_WEIR_BENCH_SCENARIO', source === undefined ? list : `${source}: ${list}`);
    this.issues = issues;
  }
}

/** A scenario file that cannot be read, parsed or imported. */
export class ScenarioFileError extends BenchError {
  override readonly name = 'ScenarioFileError';

  constructor(message: string, options?: ErrorOptions) {
    super('ERR_WEIR_BENCH_FILE', message, options);
  }
}

/** The target is not on the allow-list. Thrown before anything is sent. */
export class TargetRefusedError extends BenchError {
  override readonly name = 'TargetRefusedError';

  constructor(target: string, allowed: readonly string[]) {
    const list = ['loopback', ...allowed].join(', ');
    super(
      'ERR_WEIR_BENCH_TARGET_REFUSED',
      `Refused to load ${target}: allowed are ${list}. Add its host to \`allowTargets\` (or \`--allow\`) if you may load it.`,
    );
  }
}

/** The target redirects to a host that is not on the allow-list. The redirect was not followed. */
export class RedirectRefusedError extends BenchError {
  override readonly name = 'RedirectRefusedError';

  constructor(target: string, origin: string) {
    super(
      'ERR_WEIR_BENCH_TARGET_REFUSED',
      `Stopped loading ${target}: it redirects to ${origin}, which is not allowed and was not followed. Correct \`target\`, or add the host to \`allowTargets\` (or \`--allow\`).`,
    );
  }
}

/** No connection, or no verified TLS session, could be made before the load began. */
export class TargetUnreachableError extends BenchError {
  override readonly name = 'TargetUnreachableError';

  constructor(target: string, cause: Error & { code?: string }) {
    super(
      'ERR_WEIR_BENCH_UNREACHABLE',
      `Cannot reach ${target} (${cause.code ?? cause.message}). Start the target, or correct \`target\` in the scenario.`,
      { cause },
    );
  }
}

/** A start or set-up command failed, or its server did not answer. Its processes have been stopped. */
export class StartError extends BenchError {
  override readonly name = 'StartError';

  constructor(command: string, reason: string, lastLine: string | undefined) {
    const said = lastLine === undefined ? '' : `; its last words: ${lastLine.trim()}`;
    super(
      'ERR_WEIR_BENCH_START',
      `\`${command}\` ${reason}${said}. It must listen on 127.0.0.1 at the port in the variable PORT.`,
    );
  }
}

/** Another server already listens at the target, and would be measured instead. Nothing was started. */
export class TargetPortTakenError extends BenchError {
  override readonly name = 'TargetPortTakenError';

  constructor(command: string, origin: string) {
    super(
      'ERR_WEIR_BENCH_START',
      `\`${command}\` was not started: something already listens at ${origin}. Stop it, or change the port of \`target\`.`,
    );
  }
}

/** The target that `start` began ended during the run. */
export class TargetEndedError extends BenchError {
  override readonly name = 'TargetEndedError';

  /** @param how as {@link StartedTarget.ended} reports it */
  constructor(target: string, how: string, afterMs: number) {
    super(
      'ERR_WEIR_BENCH_TARGET_ENDED',
      `The target ${target} ended during the run, after ${(afterMs / 1_000).toFixed(1)} s of load: it ${how}. Repair the server, and run again.`,
    );
  }
}

/** `--base` or `--head` is not a directory, commit or command that can be started. */
export class ArmError extends BenchError {
  override readonly name = 'ArmError';

  constructor(message: string, options?: ErrorOptions) {
    super('ERR_WEIR_BENCH_ARM', message, options);
  }
}

/** An option of a function or of the command line cannot be used as given. */
export class OptionError extends BenchError {
  override readonly name = 'OptionError';

  constructor(message: string) {
    super('ERR_WEIR_BENCH_OPTION', message);
  }
}

/** The process that makes the load ended before it had measured. */
export class GeneratorError extends BenchError {
  override readonly name = 'GeneratorError';

  constructor(reason: string) {
    super(
      'ERR_WEIR_BENCH_GENERATOR',
      `The load generator ${reason}. Look at what it wrote to standard error, and run again.`,
    );
  }
}

/** A build could not be profiled. */
export class ProfileError extends BenchError {
  override readonly name = 'ProfileError';

  constructor(reason: string, options?: ErrorOptions) {
    super('ERR_WEIR_BENCH_PROFILE', `Cannot profile: ${reason}.`, options);
  }
}

/** A branch cannot hold a history, or has no history of that name. */
export class HistoryBranchError extends BenchError {
  override readonly name = 'HistoryBranchError';

  constructor(branch: string, reason: string) {
    super('ERR_WEIR_BENCH_HISTORY', `The branch \`${branch}\` ${reason}.`);
  }
}

/** The Weir service cannot be reached, or refuses a request. */
export class ServiceRequestError extends BenchError {
  override readonly name = 'ServiceRequestError';

  constructor(url: string, reason: string, options?: ErrorOptions) {
    super('ERR_WEIR_BENCH_SERVICE', `The service at ${url} ${reason}.`.replace(/\.\.$/, '.'), options);
  }
}
