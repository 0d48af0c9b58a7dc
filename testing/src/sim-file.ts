import type { SeededRandom } from './seeded-random.ts';

/** What a disk writes in one piece. */
export const sectorBytes = 512;

type FileChange =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Buffer; fate: Fate }
  | { readonly kind: 'truncate'; readonly length: number; fate: Fate };

/**
 * `open`: a sync will make it durable. `durable`: one has. `doomed`: one failed; what it was to make durable is in the page cache,
 * no later sync writes it, and whether it reached the disk shows after a crash.
 */
type Fate = 'open' | 'durable' | 'doomed';

/** The bytes of a file: as the process sees them, and what of that is durable. */
export class SimFile {
  /** Count of names that it has. */
  links = 0;
  #live: Bytes;
  readonly #durable: Bytes;
  #changes: FileChange[] = [];

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.#live = new Bytes(bytes);
    this.#durable = new Bytes(bytes);
  }

  get length(): number {
    return this.#live.length;
  }

  /** Whether bytes or length are not all durable. */
  get isUnsynced(): boolean {
    return this.#changes.length > 0;
  }

  bytes(): Buffer {
    return Buffer.from(this.#live.view());
  }

  read(into: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(into.length, this.length - position));
    into.set(this.#live.view().subarray(position, position + count));
    return count;
  }

  write(bytes: Uint8Array, position: number): void {
    this.#change({ kind: 'write', position, bytes: Buffer.from(bytes), fate: 'open' });
  }

  truncate(length: number): void {
    this.#change({ kind: 'truncate', length, fate: 'open' });
  }

  /** What is to be durable when a sync that starts now has ended well. */
  beginSync(): readonly FileChange[] {
    return this.#changes.filter((change) => change.fate === 'open');
  }

  endSync(changes: readonly FileChange[], isDurable: boolean): void {
    for (const change of changes) change.fate = isDurable ? 'durable' : 'doomed';
    while (this.#changes[0]?.fate === 'durable') apply(this.#durable, this.#changes.shift() as FileChange);
  }

  /** The file after a power cut: each change that is not durable is kept, lost or torn, whatever became of the others. */
  afterPowerCut(random: SeededRandom): SimFile {
    const bytes = new Bytes(this.#durable.view());
    for (const change of this.#changes) {
      if (change.fate === 'durable') apply(bytes, change);
      else if (change.kind === 'truncate') {
        if (random.chance(0.5)) apply(bytes, change);
      } else tear(bytes, change, random);
    }
    return new SimFile(Buffer.from(bytes.view()));
  }

  /** Changes bits at rest. */
  corrupt(position: number, xor: number): void {
    for (const bytes of [this.#live, this.#durable]) {
      if (position < bytes.length) bytes.view()[position] = (bytes.view()[position] as number) ^ xor;
    }
  }

  #change(change: FileChange): void {
    apply(this.#live, change);
    this.#changes.push(change);
  }
}

/** Bytes that grow. */
class Bytes {
  #buffer: Buffer;
  length: number;

  constructor(bytes: Buffer) {
    this.#buffer = Buffer.from(bytes);
    this.length = bytes.length;
  }

  view(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  resize(length: number): void {
    if (length > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(length, this.#buffer.length * 2));
      larger.set(this.view());
      this.#buffer = larger;
    }
    if (length < this.length) this.#buffer.fill(0, length, this.length);
    this.length = length;
  }

  set(bytes: Uint8Array, position: number): void {
    if (position + bytes.length > this.length) this.resize(position + bytes.length);
    this.#buffer.set(bytes, position);
  }
}

function apply(bytes: Bytes, change: FileChange): void {
  if (change.kind === 'truncate') bytes.resize(change.length);
  else bytes.set(change.bytes, change.position);
}

function tear(to: Bytes, { position, bytes }: { position: number; bytes: Buffer }, random: SeededRandom): void {
  const end = position + bytes.length;
  const outcome = random.below(8);
  if (outcome < 3) {
    to.set(bytes, position);
    return;
  }
  // The file system may have noted the new length, and none or some of the bytes.
  if (end > to.length && random.chance(0.5)) to.resize(end);
  if (outcome < 5) return;
  if (outcome === 5) {
    to.set(bytes.subarray(0, random.below(bytes.length + 1)), position);
    return;
  }
  const probability = random.pick([0.1, 0.5, 0.9]);
  for (let from = 0; from < bytes.length;) {
    const next = Math.min(bytes.length, from + sectorBytes - ((position + from) % sectorBytes));
    if (random.chance(probability)) to.set(bytes.subarray(from, next), position + from);
    from = next;
  }
}
