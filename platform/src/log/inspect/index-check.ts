import type { Disk } from '../../kernel/disk.ts';
import type { BlockRef } from '../block.ts';
import { decodeIndex, type SegmentIndex } from '../segment-index.ts';
import type { DamageList, IndexState } from './report.ts';

/** The index file of a finished segment. */
export interface StoredIndex {
  readonly path: string;
  readonly state: IndexState;
  readonly index: SegmentIndex | undefined;
  /** Blocks by position. */
  readonly blocks: ReadonlyMap<number, BlockRef> | undefined;
}

/** Reads an index file; one that is missing or damaged is reported. */
export async function readIndex(disk: Disk, path: string, damage: DamageList): Promise<StoredIndex> {
  const bytes = await disk.readFile(path);
  const index = bytes === undefined ? undefined : decodeIndex(bytes);
  if (index !== undefined) {
    const blocks = new Map([...index.blocks()].map((ref) => [ref.position, ref]));
    return { path, state: 'sound', index, blocks };
  }
  const state = bytes === undefined ? 'missing' : 'damaged';
  const sentence = `the index is ${state}; it is made from the segment when it is needed`;
  damage.add({ kind: 'index', file: path, position: undefined, sentence });
  return { path, state, index: undefined, blocks: undefined };
}

/** Compares an index with what lies in its segment; reports the first difference. */
export class IndexComparison {
  readonly #stored: StoredIndex;
  readonly #damage: DamageList;
  #blocks = 0;
  #isReported = false;

  constructor(stored: StoredIndex, damage: DamageList) {
    this.#stored = stored;
    this.#damage = damage;
  }

  block(ref: BlockRef): void {
    this.#blocks++;
    const { blocks } = this.#stored;
    if (blocks === undefined) return;
    const known = blocks.get(ref.position);
    if (known === undefined || !isSame(known, ref)) this.#report(`it says otherwise of the block at ${ref.position}`);
  }

  /** @param ends   just past what the segments so far hold, for each shard of which that is known */
  end(ends: ReadonlyMap<number, number>): void {
    const { index } = this.#stored;
    if (index === undefined) return;
    if (index.blockCount !== this.#blocks) this.#report(`it has ${index.blockCount} blocks of ${this.#blocks}`);
    for (const [shard, end] of index.ends) {
      const found = ends.get(shard);
      if (found !== undefined && found !== end) this.#report(`shard ${shard} ends at ${found}, not at ${end}`);
    }
  }

  #report(difference: string): void {
    if (this.#isReported) return;
    this.#isReported = true;
    const sentence = `the index does not agree with its segment: ${difference}`;
    this.#damage.add({ kind: 'index', file: this.#stored.path, position: undefined, sentence });
  }
}

function isSame(a: BlockRef, b: BlockRef): boolean {
  return (
    a.shard === b.shard &&
    a.bytes === b.bytes &&
    a.baseOffset === b.baseOffset &&
    a.endOffset === b.endOffset &&
    a.firstTimeMs === b.firstTimeMs &&
    a.lastTimeMs === b.lastTimeMs
  );
}
