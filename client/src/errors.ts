export interface ClientErrorOptions {
  readonly cause?: unknown;
  /** Doing the same again may succeed. Default false. */
  readonly isRetryable?: boolean;
}

/** What this library throws. `code` is stable: compare that, never the message. */
export class ClientError extends Error {
  readonly code: string;
  readonly isRetryable: boolean;

  constructor(code: string, message: string, { cause, isRetryable = false }: ClientErrorOptions = {}) {
    super(message, { cause });
    this.name = new.target.name;
    this.code = code;
    this.isRetryable = isRetryable;
  }
}

/** A setting or an argument that cannot be. */
export class InvalidArgumentError extends ClientError {
  constructor(message: string) {
    super('MR_INVALID_ARGUMENT', message);
  }
}
