/** What an answer must be; a step whose check fails ends its session. */
export interface StepCheck {
  /** One of these. @defaultValue any of 200–399 */
  readonly status?: number | readonly number[];
  /** Text that the body holds. */
  readonly contains?: string;
  /** Values by their path in a JSON body: `{ "items[0].id": 7 }`. */
  readonly json?: Readonly<Record<string, string | number | boolean | null>>;
  /** Longest time the step may take. */
  readonly maxMs?: number;
}

/** Where a saved value comes from. */
export type SaveSource =
  | { /** Path in a JSON body. */ readonly json: string }
  | { /** Name of a header. */ readonly header: string }
  | { /** Its first group, or all of the match. */ readonly regex: string };

/** One request of a session. Path, header values and body may hold `{{name}}`. */
export interface FlowStep {
  /** For reports. @defaultValue method and path as written */
  readonly name?: string;
  /** @defaultValue `'GET'` */
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly check?: StepCheck;
  /** Values that later steps of the session name. A value that is not there fails the step. */
  readonly save?: Readonly<Record<string, SaveSource>>;
  /** Pause before the next step. @defaultValue 0 */
  readonly thinkMs?: number;
}

/** A session: steps in order, with values of its own. */
export interface Flow {
  readonly name: string;
  /** Sessions of this flow for each `weight` of all, evenly mixed. @defaultValue 1 */
  readonly weight?: number;
  readonly steps: readonly FlowStep[];
}

/** Credentials sent with every request; `{{env.NAME}}` reads the environment, so that no secret stands in a file. */
export type Auth =
  | { readonly bearer: string }
  | { readonly basic: { readonly user: string; readonly password: string } };
