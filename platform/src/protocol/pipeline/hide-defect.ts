import type { LogFields, Logger } from '../../kernel/logger.ts';
import { InternalFailure, type WireError } from '../../model/index.ts';

/** Logs what went wrong, and gives what the caller is told instead: nothing of a defect leaves the server. */
export function hideDefect(error: unknown, logger: Logger, fields: LogFields): WireError {
  logger.error({ error, ...fields }, 'a handler failed');
  return new InternalFailure('The request processing has failed because of an unknown error, exception or failure.');
}
