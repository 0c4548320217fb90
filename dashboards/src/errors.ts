const messages = {
  ERR_WEIR_DASHBOARDS_INVALID_OPTION: (name: string, expected: string) =>
    `Expected ${name} to be ${expected}`,
  ERR_WEIR_DASHBOARDS_INVALID_SLO: (place: string, problem: string) => `${place}: ${problem}`,
} as const;

/** What keeps files from being made; each message is one line that carries the repair, and `code` is stable. */
export class DashboardsError extends Error {
  readonly code: keyof typeof messages;

  constructor(code: keyof typeof messages, first: string, second: string, options?: ErrorOptions) {
    super(messages[code](first, second), options);
    this.name = 'DashboardsError';
    this.code = code;
  }
}

/** A value as a message shows it. */
export function shown(value: unknown): string {
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

/** Wrong arguments; the message is the one line that the user sees. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}
