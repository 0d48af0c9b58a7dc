import type { SeededRandom } from '../seeded-random.ts';
import { ControlledStream } from './controlled-stream.ts';
import type { Lineage } from './lineage.ts';
import { Ledger, type ShardBook, type StreamBook } from './ledger.ts';

/** What the checker knows of one data folder, from round to round. */
export class World {
  readonly folder: string;
  readonly ledger = new Ledger();
  /** Streams that stay as long as the folder, with the facts that control calls change. */
  readonly stable: ControlledStream[] = [];
  /** Streams that take records and are deleted at some time; never made again under the same name. */
  victims: ControlledStream[] = [];
  /** Streams that are deleted and made again under the same name. */
  readonly phoenixes: ControlledStream[] = [];
  /** A stream that is resharded, where the load has one. */
  lineage: Lineage | undefined;
  /** Books of streams that were deleted since the last reading. */
  readonly deadBooks: StreamBook[] = [];
  /** Handed out before a kill, to be used after it. */
  iterators: HeldIterator[] = [];
  rounds = 0;
  acknowledgedBytes = 0;
  #lastVictim = 0;

  constructor(folder: string) {
    this.folder = folder;
    for (let i = 0; i < 2; i++) this.phoenixes.push(new ControlledStream(`phoenix-${i}`));
  }

  newVictim(): ControlledStream {
    const victim = new ControlledStream(`victim-${++this.#lastVictim}`);
    this.victims.push(victim);
    return victim;
  }

  /** Every stream that may be there. */
  get streams(): ControlledStream[] {
    return [...this.stable, ...this.victims, ...this.phoenixes];
  }

  /** One that takes records from any connection. */
  pickTarget(random: SeededRandom): ControlledStream {
    const victims = this.victims.filter((each) => each.book !== undefined && !each.isEnding);
    return victims.length > 0 && random.chance(0.25) ? random.pick(victims) : random.pick(this.stable);
  }
}

/** What the workers of one round share. */
export interface Load {
  readonly world: World;
  /** No more calls are to be made. */
  isStopped: boolean;
  /** Large bodies only, to get through journal files. */
  readonly isHeavy: boolean;
  /** The server may be gone at any moment. */
  readonly endsByItself: boolean;
  /** Data of records that were acknowledged in this round. */
  acknowledgedBytes: number;
}

/** An iterator that was handed out, and where it has to go on. */
export interface HeldIterator {
  readonly kind: string;
  readonly token: string;
  readonly shard: ShardBook;
  /** It goes on behind this record; '' is the shard's beginning. */
  readonly after: string;
  /** Right behind it; otherwise only not before it. */
  readonly isExact: boolean;
  /** It does not pass over attempts from this number on: they were sent when it had been handed out. */
  readonly beforeId: number;
  kills: number;
}
