import { MillraceError } from '../kernel/errors.ts';

/** After a failed write or sync the log takes nothing more until a restart; reads go on. */
export class LogReadOnlyError extends MillraceError {
  constructor(reason: string) {
    super('MR_LOG_READ_ONLY', `the log is read-only until a restart: ${reason}`);
  }
}

/** The call was under way when the log failed: whether it took effect shows after the next start. */
export class OutcomeUnknownError extends MillraceError {
  constructor(cause: unknown) {
    super('MR_OUTCOME_UNKNOWN', 'the log failed while this was being written; it may or may not be stored', { cause });
  }
}

/** The disk has no room for another control command. */
export class LogFullError extends MillraceError {
  constructor() {
    super('MR_DISK_FULL', 'the disk of the data folder is full', { retryable: true });
  }
}

/** No such shard log: never provisioned, or dropped with its group. */
export class ShardLogAbsentError extends MillraceError {
  constructor(group: number, shard: number) {
    super('MR_SHARD_LOG_ABSENT', `no shard log ${group}/${shard}`);
  }
}

/** The data folder cannot be opened as it is; the message says what to do. */
export class DataFolderError extends MillraceError {
  constructor(message: string, cause?: unknown) {
    super('MR_DATA_FOLDER', message, { cause });
  }
}
