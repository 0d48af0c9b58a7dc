import type { SeededRandom } from './seeded-random.ts';
import { SimFile } from './sim-file.ts';

export type SimNode = SimFile | SimFolder;

/** A step that happens as a whole or not at all; undefined removes the name. */
type NameChange = ReadonlyArray<readonly [name: string, node: SimNode | undefined]>;

/** The names in a folder: as the process sees them, and what of that is durable. */
export class SimFolder {
  readonly names: Map<string, SimNode> = new Map();
  readonly #durable = new Map<string, SimNode>();
  #changes: NameChange[] = [];
  /** Count of changes that are durable. */
  #synced = 0;

  change(change: NameChange): void {
    applyNames(this.names, change);
    this.#changes.push(change);
  }

  /** What is to be durable when a sync that starts now has ended. */
  beginSync(): number {
    return this.#synced + this.#changes.length;
  }

  endSync(until: number): void {
    const count = Math.max(0, until - this.#synced);
    for (const change of this.#changes.splice(0, count)) applyNames(this.#durable, change);
    this.#synced += count;
  }

  /** The folder after a power cut: each change of names since the last sync is kept or lost. */
  afterPowerCut(random: SeededRandom, done: Map<SimNode, SimNode> = new Map()): SimFolder {
    const names = new Map(this.#durable);
    // Mostly a file system keeps names in order, up to some point; it does not have to.
    const isInOrder = random.chance(0.3);
    let keepInOrder = random.below(this.#changes.length + 1);
    for (const change of this.#changes) {
      if (isInOrder ? keepInOrder-- > 0 : random.chance(0.5)) applyNames(names, change);
    }
    const after = new SimFolder();
    for (const [name, node] of names) {
      let copy = done.get(node);
      copy ??= node instanceof SimFolder ? node.afterPowerCut(random, done) : node.afterPowerCut(random);
      done.set(node, copy);
      if (copy instanceof SimFile) copy.links++;
      after.names.set(name, copy);
      after.#durable.set(name, copy);
    }
    return after;
  }
}

function applyNames(names: Map<string, SimNode>, change: NameChange): void {
  for (const [name, node] of change) {
    if (node === undefined) names.delete(name);
    else names.set(name, node);
  }
}
