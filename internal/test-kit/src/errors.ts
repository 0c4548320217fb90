const messages = {
  ERR_WEIR_TEST_KIT_MISSING_SERVER: (what: string, hint: string) => `Missing ${what}. ${hint}`,
  ERR_WEIR_TEST_KIT_SERVER_FAILED: (name: string, detail: string) => `${name} did not start: ${detail}`,
} as const;

/** Everything the test kit fails with; `code` is stable. */
export class TestKitError extends Error {
  readonly code: keyof typeof messages;

  constructor(code: keyof typeof messages, first: string, second: string, options?: ErrorOptions) {
    super(messages[code](first, second), options);
    this.name = 'TestKitError';
    this.code = code;
  }
}
