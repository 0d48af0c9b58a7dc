import { ClientError } from '../../errors.ts';

/** Another process, or another spool of this one, has the folder open. */
export class SpoolLockedError extends ClientError {
  constructor(folder: string) {
    super('MR_SPOOL_LOCKED', `the spool folder ${folder} is in use by another process`);
  }
}

/** No room below `bytesMax` before more has been settled. Nothing of the record is kept. */
export class SpoolFullError extends ClientError {
  constructor(folder: string, bytesMax: number) {
    super('MR_SPOOL_FULL', `the spool folder ${folder} holds all of the ${bytesMax} bytes it may`, {
      isRetryable: true,
    });
  }
}

/** The disk failed. Whether what was being written is kept shows at the next open; nothing more is accepted before it. */
export class SpoolFailedError extends ClientError {
  constructor(folder: string, what: string, cause: unknown) {
    super('MR_SPOOL_FAILED', `the spool folder ${folder} could not be ${what}: ${reasonOf(cause)}`, { cause });
  }
}

/** The spool has been closed, or is being. */
export class SpoolClosedError extends ClientError {
  constructor(folder: string) {
    super('MR_SPOOL_CLOSED', `the spool of the folder ${folder} is closed`);
  }
}

/** A later version of this library wrote the folder; nothing of it was changed. */
export class SpoolVersionError extends ClientError {
  constructor(file: string, version: number) {
    super('MR_SPOOL_VERSION', `the spool file ${file} has format ${version}, which this version cannot read`);
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
