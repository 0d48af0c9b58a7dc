import type { Clock } from '../kernel/clock.ts';
import type { Disk } from '../kernel/disk.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Random } from '../kernel/random.ts';
import { silentTelemetry, type LogTelemetry } from '../kernel/telemetry.ts';
import { readCheckpoint, writeCheckpoint, type CheckpointState } from './checkpoint.ts';
import { Committer } from './committer.ts';
import type {
  AppendEntry,
  AppendOutcome,
  Durability,
  EngineStatus,
  LogEngine,
  ReadOptions,
  ReadPage,
  ShardLogId,
  StateMachine,
} from './engine.ts';
import { FileCache } from './file-cache.ts';
import { DataFolderError } from './errors.ts';
import { Journal, journalFolder } from './journal.ts';
import { LogState, type FileWork } from './log-state.ts';
import { embeddedLimits, type EmbeddedLimits } from './limits.ts';
import { Maintenance } from './maintenance.ts';
import { offsetAtTime, readPage } from './reader.ts';
import { replayJournal, type Replay } from './recovery.ts';
import { IndexCache, segmentFolder, type SegmentContext } from './segments.ts';
import { readUint64 } from './uint64.ts';

export interface EmbeddedOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly machine: StateMachine;
  readonly durability: Durability;
  /** Told of commits, flushes and checkpoints; nobody by default. */
  readonly telemetry?: LogTelemetry;
  /** Replaces single values of {@link embeddedLimits}; for tests. */
  readonly limits?: Partial<EmbeddedLimits>;
}

/** Generations that files of a failed run may have beyond the newest one seen. */
const generationMargin = 16;

/**
 * Opens the log in a data folder that the caller holds the lock of, and recovers it: when this resolves, everything readable is durable
 * and the state machine stands where its newest command left it.
 *
 * @throws DataFolderError   damaged beyond use, or of a newer format
 */
export async function openEmbeddedLog(options: EmbeddedOptions): Promise<LogEngine> {
  const limits = { ...embeddedLimits(options.durability), ...options.limits };
  const { disk } = options;
  await disk.makeFolder(segmentFolder);
  const damage: string[] = [];
  const found = await readCheckpoint(disk, (sentence) => damage.push(sentence));
  const checkpoint = found ?? (await firstCheckpoint(options));
  const log = new EmbeddedLog(options, limits, checkpoint);
  for (const sentence of damage) log.addDamage(sentence);
  await log.recover(checkpoint);
  return log;
}

/** @throws DataFolderError   it is no new folder */
async function firstCheckpoint({ disk, random, machine }: EmbeddedOptions): Promise<CheckpointState> {
  for (const folder of [journalFolder, segmentFolder]) {
    const [name] = await disk.list(folder);
    if (name === undefined) continue;
    throw new DataFolderError(
      `the data folder holds "${folder}/${name}" and no "checkpoint"; restore "checkpoint" from a backup, or empty the folder to start anew`,
    );
  }
  const bytes = random.bytes(8);
  bytes[0] = bytes[1] = 0;
  const first = { folderId: readUint64(bytes, 0), commit: 0, generation: 1, groups: [], snapshot: machine.snapshot() };
  await writeCheckpoint(disk, first);
  return first;
}

const damageMax = 100;

class EmbeddedLog implements LogEngine {
  readonly durability: Durability;
  readonly #options: EmbeddedOptions;
  readonly #limits: EmbeddedLimits;
  readonly #telemetry: LogTelemetry;
  readonly #files: FileCache;
  readonly #state: LogState;
  readonly #maintenance: Maintenance;
  readonly #damage: string[] = [];
  #journal: Journal | undefined;
  #committer: Committer | undefined;
  #generation: number;
  /** Generation of the newest checkpoint written since the start. */
  #checkpointed = 0;
  #failure: string | undefined;
  #closing: Promise<void> | undefined;
  /** While recovering: work on files that commands asked for, until those commands are durable beyond doubt. */
  #fileWork: FileWork[] | undefined = [];
  readonly #folderId: number;

  constructor(options: EmbeddedOptions, limits: EmbeddedLimits, checkpoint: CheckpointState) {
    this.durability = options.durability;
    this.#options = options;
    this.#limits = limits;
    this.#telemetry = options.telemetry ?? silentTelemetry;
    this.#generation = checkpoint.generation;
    this.#folderId = checkpoint.folderId;
    this.#files = new FileCache(options.disk, limits.openFilesMax);
    const context: SegmentContext = {
      disk: options.disk,
      files: this.#files,
      indexes: new IndexCache(limits.indexEntriesMax),
      segmentBytesMax: limits.segmentBytesMax,
      folderId: checkpoint.folderId,
      onDamage: (sentence) => this.addDamage(sentence),
    };
    this.#state = new LogState(options.machine, context, (work) => this.#afterCommand(work));
    this.#maintenance = new Maintenance(this.#state, {
      disk: options.disk,
      clock: options.clock,
      logger: options.logger,
      telemetry: this.#telemetry,
      folderId: checkpoint.folderId,
      flush: limits,
      reserveBytes: limits.reserveBytes,
      onFailure: (error) => this.#fail(error),
      generation: () => this.#journal?.generation ?? this.#generation,
      syncJournal: async () => this.#committer?.syncWritten(),
      onCheckpoint: async (generation) => {
        this.#checkpointed = generation;
        await this.#journal?.recycle(generation);
      },
      onDiskFull: () => this.#journal?.wake(),
    });
  }

  async recover(checkpoint: CheckpointState): Promise<void> {
    const { disk, logger, clock } = this.#options;
    const startedMs = clock.monotonic();
    this.#options.machine.restore(checkpoint.snapshot);
    this.#state.restore(checkpoint.groups);
    await this.#removeUnknownGroups();
    for (const group of this.#state.groups.values()) await group.segments.truncate();
    const replay = await replayJournal(disk, checkpoint, this.#state, {
      logger,
      onDamage: (sentence) => this.addDamage(sentence),
      afterCommit: async () => {
        const isMuch = this.#state.tailBytes > this.#limits.flushBytes;
        if (isMuch && !this.#maintenance.isDiskFull) await this.#maintenance.flush();
      },
    });
    this.#generation = replay.generation + generationMargin;
    // All that was kept goes to synced segments and a new checkpoint before anything is served: nothing is appended behind a cut,
    // and no reader sees what a power cut could still take back. Also when nothing was kept: what may lie in the files unseen must
    // never follow on a commit of this run.
    if (replay.hasFiles) await this.#maintenance.checkpoint();
    if (this.#failure !== undefined) throw new Error(`recovery could not write: ${this.#failure}`);
    for (const group of this.#state.groups.values()) await group.segments.checkComplete(group.trimMs);
    this.#journal = await this.#openJournal(replay);
    // One that found no room before may have been written meanwhile, when there was no journal yet to tell.
    await this.#journal.recycle(this.#checkpointed);
    for (const work of this.#fileWork?.splice(0) ?? []) void this.#maintenance.run(work);
    this.#fileWork = undefined;
    this.#committer = this.#makeCommitter(this.#journal);
    const ms = clock.monotonic() - startedMs;
    const { commits } = replay;
    this.#tell({ ms, commits });
    if (commits > 0) logger.info({ commits, ms: Math.round(ms) }, 'recovered the log');
  }

  #tell(recovery: { ms: number; commits: number }): void {
    this.#telemetry.recovered(recovery);
    this.#telemetry.watch(() => {
      const { bytes = 0, calls = 0 } = this.#committer?.queue ?? {};
      return { queueBytes: bytes, queueCalls: calls, tailBytes: this.#state.tailBytes };
    });
  }

  async #openJournal(replay: Replay): Promise<Journal> {
    const { disk, logger } = this.#options;
    // On a full disk the checkpoint comes later, and until then the files are all there is of their records.
    const isNeeded = this.#maintenance.isCheckpointDue;
    if (!isNeeded) {
      for (const name of replay.damagedFiles) {
        await disk.rename(`${journalFolder}/${name}`, `${journalFolder}/${name}.damaged-${replay.generation}`);
      }
    }
    return Journal.open(disk, this.#limits, logger, { generation: this.#generation, isNeeded });
  }

  append(entries: readonly AppendEntry[]): Promise<AppendOutcome[]> {
    return this.#committing().append(entries);
  }

  propose(command: Uint8Array): Promise<unknown> {
    return this.#committing().propose(command);
  }

  read(id: ShardLogId, fromOffset: number, options: ReadOptions): Promise<ReadPage> {
    return readPage(this.#state, id, fromOffset, options);
  }

  offsetAt(id: ShardLogId, timeMs: number): Promise<number> {
    return offsetAtTime(this.#state, id, timeMs);
  }

  endOffset(id: ShardLogId): number | undefined {
    return this.#state.shard(id)?.end;
  }

  watch(id: ShardLogId, listener: () => void): () => void {
    return this.#state.shard(id)?.watch(listener) ?? ((): void => undefined);
  }

  oldestMs(group: number): number | undefined {
    return this.#state.groups.get(group)?.segments.oldestMs;
  }

  status(): EngineStatus {
    const isFull = this.#maintenance.isDiskFull;
    return {
      state: this.#failure !== undefined ? 'read-only' : isFull ? 'disk-full' : 'ok',
      reason: this.#failure ?? (isFull ? 'the disk of the data folder is full' : undefined),
      commits: this.#committer?.commits ?? 0,
      damage: this.#damage,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.#committer?.stop();
    } catch (error) {
      this.#fail(error);
    }
    if (this.#failure === undefined && (this.#committer?.commits ?? 0) > 0) await this.#maintenance.checkpoint();
    await this.#maintenance.stop();
    await this.#journal?.close();
    await this.#files.close();
  }

  #committing(): Committer {
    if (this.#committer === undefined) throw new Error('the log has not recovered yet');
    return this.#committer;
  }

  #makeCommitter(journal: Journal): Committer {
    const { clock, durability } = this.#options;
    return new Committer({
      telemetry: this.#telemetry,
      ...this.#limits,
      state: this.#state,
      journal,
      clock,
      durability,
      folderId: this.#folderId,
      isDiskFull: () => this.#maintenance.isDiskFull,
      flush: () => this.#maintenance.flush(),
      onPublished: () => {
        if (this.#state.tailBytes > this.#limits.flushBytes) void this.#maintenance.flush();
        if (journal.position > this.#limits.firstFileBytes / 2) journal.prepareSpare();
      },
      onDiskFull: () => this.#maintenance.becomeFull(),
      onRoll: () => void this.#maintenance.checkpoint(),
      onFailure: (error) => this.#fail(error),
    });
  }

  /** Removes files after the command that said so is durable: it must not be lost when they are. */
  #afterCommand(work: FileWork): void {
    if (this.#fileWork !== undefined) this.#fileWork.push(work);
    else {
      void this.#maintenance.run(async () => {
        await this.#committer?.syncWritten();
        await work();
      });
    }
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = `writing to the data folder failed: ${error instanceof Error ? error.message : String(error)}`;
    this.#options.logger.error({ error: String(error) }, 'the log is read-only until a restart');
    this.#committer?.abandon();
    this.#maintenance.abandon();
  }

  /** Reports a damaged place, once. */
  addDamage(sentence: string): void {
    if (this.#damage.includes(sentence)) return;
    if (this.#damage.length < damageMax) this.#damage.push(sentence);
    this.#options.logger.error({ damage: sentence }, 'damage in the data folder');
  }

  /** Folders of groups that the checkpoint does not know: replay makes them anew, or they were dropped. */
  async #removeUnknownGroups(): Promise<void> {
    for (const name of await this.#options.disk.list(segmentFolder)) {
      if (!this.#state.groups.has(Number(name))) await this.#options.disk.removeFolder(`${segmentFolder}/${name}`);
    }
  }
}
