/** Records that no file holds any more. `endOffset` is just past the last of them. */
export interface LostRange {
  readonly group: number;
  readonly shard: number;
  readonly fromOffset: number;
  readonly endOffset: number;
}

export type DamageKind = 'checkpoint' | 'journal' | 'segment' | 'block' | 'batch' | 'index' | 'offsets';

/** One damaged place. */
export interface Damage {
  readonly kind: DamageKind;
  /** Path in the data folder. */
  readonly file: string;
  /** First byte of what is damaged: a copy, a frame, a block; undefined for a whole file. */
  readonly position: number | undefined;
  readonly sentence: string;
  /** Empty when nothing is lost. */
  readonly lost: LostRange[];
  /** Control commands that are lost. */
  lostCommands: number;
  /** Whether more may be lost than `lost` says, because what is left does not tell. */
  mayHoldMore: boolean;
}

/** The end of the journal is not whole, and nothing shows that it was ever synced: the next start leaves it out. */
export interface TornTail {
  readonly file: string;
  readonly position: number;
  readonly commit: number;
  /** What can still be made out in it. */
  readonly records: LostRange[];
  /** Whole commits behind it, which are left out too. */
  readonly commitsBehind: number;
}

export interface CheckpointReport {
  readonly version: number;
  readonly bytes: number;
  readonly copies: ReadonlyArray<{ readonly position: number; readonly isSound: boolean }>;
  readonly commit: number;
  readonly generation: number;
}

export interface JournalFileReport {
  readonly name: string;
  readonly bytes: number;
  /** Newest use of the file; 0 for one never used. */
  generation: number;
  /** Whether it holds commits that the checkpoint does not. */
  isNeeded: boolean;
  /** Of the newest use. */
  frames: number;
  firstCommit: number;
  lastCommit: number;
  batches: number;
  commands: number;
  /** Frames without entries. */
  markers: number;
  records: number;
  usedBytes: number;
}

export type IndexState = 'sound' | 'missing' | 'damaged' | 'not yet';

export interface SegmentReport {
  readonly name: string;
  /** Length of the file; undefined when it is missing. */
  readonly bytes: number | undefined;
  /** What the checkpoint knows of it. */
  readonly usedBytes: number;
  blocks: number;
  records: number;
  oldestMs: number | undefined;
  newestMs: number | undefined;
  index: IndexState;
}

export interface ShardReport {
  readonly shard: number;
  /** Oldest record that a segment or the journal holds; equal to `endOffset` when there is none. */
  readonly firstOffset: number;
  readonly endOffset: number;
  readonly isClosed: boolean;
  /** Of its records, those only the journal holds. */
  readonly journalRecords: number;
}

export interface GroupReport {
  readonly group: number;
  readonly trimMs: number;
  readonly shards: readonly ShardReport[];
  readonly segments: readonly SegmentReport[];
}

export interface FolderReport {
  /** Random number of the folder, hexadecimal. */
  readonly folderId: string;
  readonly checkpoint: CheckpointReport;
  readonly journal: {
    readonly files: readonly JournalFileReport[];
    /** Newest commit that a start now would keep. */
    readonly commit: number;
    readonly tornTail: TornTail | undefined;
  };
  readonly groups: readonly GroupReport[];
  /** Files beside those above: `reserve`, `lock`, `tls.json`, what a crash or an operator left. */
  readonly otherFiles: ReadonlyArray<{ readonly name: string; readonly bytes: number }>;
  readonly damage: readonly Damage[];
  /** Damaged places beyond those in `damage`, which is bounded. */
  readonly damageLeftOut: number;
  readonly totals: {
    readonly shards: number;
    readonly segments: number;
    readonly blocks: number;
    readonly records: number;
    readonly segmentBytes: number;
    readonly journalBytes: number;
    /** In `damage`. */
    readonly lostRecords: number;
  };
}

const damageMax = 10_000;

/** Collects damage, boundedly. */
export class DamageList {
  readonly list: Damage[] = [];
  leftOut = 0;

  add(
    place: Pick<Damage, 'kind' | 'file' | 'position' | 'sentence'> & Partial<Pick<Damage, 'lost' | 'lostCommands'>>,
  ): Damage {
    const damage: Damage = { lost: [], lostCommands: 0, mayHoldMore: false, ...place };
    if (this.list.length < damageMax) this.list.push(damage);
    else this.leftOut++;
    return damage;
  }
}
