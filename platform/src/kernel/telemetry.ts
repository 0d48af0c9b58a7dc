/** What a commit took along. */
export interface CommitFigures {
  /** Length of its frame. */
  readonly frameBytes: number;
  /** Waiting calls, puts and commands, that it answered. */
  readonly calls: number;
  /** Record batches in it: data, keys and their encoding, without the frame around them. */
  readonly batchBytes: number;
}

/** What changes all the time and is read when somebody asks. */
export interface LogLevels {
  /** What waits for a commit, without what is being written. */
  readonly queueBytes: number;
  readonly queueCalls: number;
  /** Record batches in memory that no segment holds yet. */
  readonly tailBytes: number;
}

/**
 * What the log tells of its work, as plain numbers. Called once a commit, flush or checkpoint, never once a record;
 * an implementation returns at once and never throws.
 */
export interface LogTelemetry {
  /** A group commit was published. */
  committed(figures: CommitFigures): void;
  /** The journal was synced. */
  journalSynced(ms: number): void;
  /** What was in memory has been moved to the segments and synced; also as a part of a checkpoint. */
  flushed(ms: number): void;
  /** A checkpoint is durable. */
  checkpointed(ms: number): void;
  /** The log has recovered; once a start. */
  recovered(recovery: { readonly ms: number; readonly commits: number }): void;
  /** Gives a look at the levels, for as long as the log is open. */
  watch(read: () => LogLevels): void;
}

const ignore = (): void => undefined;

export const silentTelemetry: LogTelemetry = {
  committed: ignore,
  journalSynced: ignore,
  flushed: ignore,
  checkpointed: ignore,
  recovered: ignore,
  watch: ignore,
};
