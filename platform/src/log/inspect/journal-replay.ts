import type { CheckpointState } from '../checkpoint.ts';
import { crc32c } from '../crc32c.ts';
import type { StateMachine } from '../engine.ts';
import { entryKind, type FrameEntry } from '../frame.ts';
import { readBatchHeader } from '../record-batch.ts';
import { soundBatch } from './batches.ts';
import { entriesOf, type FoundFrame } from './journal-scan.ts';
import type { ReplayModel } from './replay-model.ts';
import type { Damage, DamageList, LostRange } from './report.ts';

/** Adds to what is lost; ranges that touch become one. */
export function addLost(damage: Damage, range: LostRange): void {
  const i = damage.lost.findIndex(
    (each) => each.group === range.group && each.shard === range.shard && each.endOffset === range.fromOffset,
  );
  const before = damage.lost[i];
  if (before === undefined) damage.lost.push(range);
  else damage.lost[i] = { ...before, endOffset: range.endOffset };
}

/** Does with commits what a start would do, but keeps no records: moves the state machine, and the model's offsets. */
export class JournalReplay {
  readonly checkpoint: CheckpointState;
  readonly model: ReplayModel;
  readonly #machine: StateMachine;
  readonly #damage: DamageList;
  /** Of this run's gaps the newest: what is missing before a batch was in it. */
  #gap: Damage | undefined;

  constructor(checkpoint: CheckpointState, model: ReplayModel, machine: StateMachine, damage: DamageList) {
    this.checkpoint = checkpoint;
    this.model = model;
    this.#machine = machine;
    this.#damage = damage;
  }

  /** Commits were found to be missing: what the frames behind do not continue was in them. */
  lost(gap: Damage): void {
    this.#gap = gap;
  }

  apply(frame: FoundFrame, bytes: Buffer): void {
    const { header, name } = frame;
    const whole = bytes.length === header.length && crc32c(bytes.subarray(8)) === bytes.readUInt32BE(4);
    let count = 0;
    for (const entry of whole ? entriesOf(bytes, header.entryCount) : []) {
      if (entry.kind === entryKind.command) this.#command(frame, entry);
      else this.#batch(frame, entry);
      count++;
    }
    if (count === header.entryCount) return;
    const sentence = `commit ${header.commit}: only ${count} of its ${header.entryCount} entries can be made out`;
    this.#damage.add({ kind: 'journal', file: name, position: header.position, sentence }).mayHoldMore = true;
  }

  #command({ name, header }: FoundFrame, { payload }: FrameEntry): void {
    try {
      this.#machine.apply(Buffer.from(payload), this.model);
    } catch (error) {
      const sentence = `a control command of commit ${header.commit} cannot be applied: ${String(error)}`;
      this.#damage.add({ kind: 'journal', file: name, position: header.position, sentence, lostCommands: 1 });
    }
  }

  #batch({ name, header }: FoundFrame, { group, shard, payload }: FrameEntry): void {
    const batch = readBatchHeader(payload, 0);
    const file = { file: name, position: header.position };
    if (batch === undefined) {
      const sentence = `commit ${header.commit} holds a batch that is none`;
      this.#damage.add({ kind: 'batch', ...file, sentence }).mayHoldMore = true;
      return;
    }
    const range = { group, shard, fromOffset: batch.baseOffset, endOffset: batch.baseOffset + batch.recordCount };
    const log = this.model.shard({ group, shard });
    if (log === undefined) {
      // Behind the command that dropped its stream a batch does not exist; without the one that made it, it is lost.
      if (!this.model.dropped.has(group) && this.#gap !== undefined) addLost(this.#gap, range);
      return;
    }
    if (range.endOffset <= log.end || log.isClosed) return;
    if (soundBatch(payload, 0) === undefined) {
      const sentence = `the checksum of a batch in commit ${header.commit} is wrong`;
      this.#damage.add({ kind: 'batch', ...file, sentence, lost: [range] });
    }
    if (batch.baseOffset > log.expectedEnd) {
      const missing = { group, shard, fromOffset: log.expectedEnd, endOffset: batch.baseOffset };
      const sentence = 'the records before this commit are in no file';
      addLost(this.#gap ?? this.#damage.add({ kind: 'offsets', ...file, sentence }), missing);
    }
    log.firstOffset ??= batch.baseOffset;
    log.journalRecords += batch.recordCount;
    log.end = log.expectedEnd = range.endOffset;
  }
}
