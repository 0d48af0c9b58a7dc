import type { CommitFigures, LogLevels, LogTelemetry } from '../kernel/telemetry.ts';

/** Kinds of files by which written bytes are told apart; `other` is the reserve and the certificate. */
export const fileKinds = ['journal', 'segment', 'index', 'checkpoint', 'other'] as const;
export type FileKind = (typeof fileKinds)[number];

/** Counts of observations by upper bound; the last count is of those above all bounds. */
export class Distribution {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    let i = 0;
    while (i < this.bounds.length && value > (this.bounds[i] as number)) i++;
    this.counts[i] = (this.counts[i] as number) + 1;
    this.sum += value;
  }
}

const syncSeconds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const workSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const frameBytes = [256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216];
const callCounts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/**
 * What is counted from the start on, as plain numbers. The library that renders them costs 5 MB and 40 ms and is loaded at the
 * first scrape, so these cannot be its own objects.
 */
export class Meters implements LogTelemetry {
  commits = 0;
  batchBytes = 0;
  readonly commitBytes: Distribution = new Distribution(frameBytes);
  readonly commitCalls: Distribution = new Distribution(callCounts);
  readonly journalSyncSeconds: Distribution = new Distribution(syncSeconds);
  readonly flushSeconds: Distribution = new Distribution(workSeconds);
  readonly checkpointSeconds: Distribution = new Distribution(workSeconds);
  recoverySeconds = 0;
  recoveredCommits = 0;
  readonly writtenBytes: Record<FileKind, number> = { journal: 0, segment: 0, index: 0, checkpoint: 0, other: 0 };
  openFiles = 0;
  #read: () => LogLevels = () => ({ queueBytes: 0, queueCalls: 0, tailBytes: 0 });

  get levels(): LogLevels {
    return this.#read();
  }

  committed({ frameBytes: bytes, calls, batchBytes }: CommitFigures): void {
    this.commits++;
    this.batchBytes += batchBytes;
    this.commitBytes.observe(bytes);
    this.commitCalls.observe(calls);
  }

  journalSynced(ms: number): void {
    this.journalSyncSeconds.observe(ms / 1000);
  }

  flushed(ms: number): void {
    this.flushSeconds.observe(ms / 1000);
  }

  checkpointed(ms: number): void {
    this.checkpointSeconds.observe(ms / 1000);
  }

  recovered({ ms, commits }: { ms: number; commits: number }): void {
    this.recoverySeconds = ms / 1000;
    this.recoveredCommits = commits;
  }

  watch(read: () => LogLevels): void {
    this.#read = read;
  }
}
