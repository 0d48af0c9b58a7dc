import { assert } from '../../platform/src/kernel/assert.ts';
import type { Disk, DiskFile } from '../../platform/src/kernel/disk.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimFile } from './sim-file.ts';
import { SimFolder, type SimNode } from './sim-folder.ts';

export type DiskOperation =
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'rename'
  | 'remove'
  | 'syncFolder'
  | 'makeFolder';

/** A fault to come: the `nth` (1-based) operation of this kind on a path that matches fails; all later ones too when `isLasting`. */
export interface DiskFault {
  readonly operation: DiskOperation;
  readonly path: RegExp;
  readonly nth?: number;
  readonly code?: string;
  readonly isLasting?: boolean;
}

export interface SimDiskOptions {
  /** Bytes that all files together may hold. */
  readonly capacityBytes?: number;
  /** Whether operations take a random number of turns; without, each takes one microtask. */
  readonly isSlow?: boolean;
}

/**
 * A disk in memory that keeps apart what was written and what is durable, and that breaks on demand.
 * The same seed and the same calls give the same history.
 *
 * A power cut keeps, loses or tears each unsynced write by itself, and each unsynced change of a name too.
 */
export class SimDisk implements Disk {
  capacityBytes: number;
  /** Steps so far: each operation has one where it begins and one where it ends. */
  steps = 0;
  /** The disk stops at this step: from then on nothing answers. */
  stopAtStep = Infinity;
  isStopped = false;
  readonly #random: SeededRandom;
  readonly #isSlow: boolean;
  readonly #root: SimFolder;
  #faults: Array<DiskFault & { left: number }> = [];
  #usedBytes = 0;
  #onStop: Array<() => void> = [];
  #gates: Array<{ operation: DiskOperation; path: RegExp; opened: Promise<void> }> = [];

  constructor(seed: number | SeededRandom, options: SimDiskOptions = {}, root: SimFolder = new SimFolder()) {
    this.#random = typeof seed === 'number' ? new SeededRandom(seed) : seed;
    this.capacityBytes = options.capacityBytes ?? Infinity;
    this.#isSlow = options.isSlow ?? false;
    this.#root = root;
    for (const file of this.#files()) this.#usedBytes += file.length;
    // Files whose removal was lost: a real disk gives room away only when the removal is durable.
    this.capacityBytes = Math.max(this.capacityBytes, this.#usedBytes);
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Stops this disk; answers what a start after a power cut finds. */
  powerCut(): SimDisk {
    this.stop();
    return this.#next(this.#root.afterPowerCut(this.#random.fork()));
  }

  /** Stops this disk; answers what a start after the death of the process finds: all that was written, durable or not. */
  kill(): SimDisk {
    this.stop();
    return this.#next(this.#root);
  }

  stop(): void {
    this.isStopped = true;
    for (const call of this.#onStop.splice(0)) call();
  }

  whenStopped(): Promise<void> {
    return new Promise((resolve) => {
      if (this.isStopped) resolve();
      else this.#onStop.push(resolve);
    });
  }

  fail(fault: DiskFault): void {
    this.#faults.push({ ...fault, left: fault.nth ?? 1 });
  }

  heal(): void {
    this.#faults = [];
  }

  /** Holds back operations of a kind until the returned function is called. */
  hold(operation: DiskOperation, path: RegExp): () => void {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const gate = { operation, path, opened };
    this.#gates.push(gate);
    return () => {
      this.#gates = this.#gates.filter((each) => each !== gate);
      open();
    };
  }

  /** Flips bits of a byte, in what is durable too. */
  corrupt(path: string, position: number, xor = 0xff): void {
    const file = this.#node(path);
    assert(file instanceof SimFile && position < file.length, `a byte ${position} of ${path} exists`);
    file.corrupt(position, xor);
  }

  /** A file's bytes as the process sees them, without a step. */
  peek(path: string): Buffer | undefined {
    const node = this.#node(path);
    return node instanceof SimFile ? node.bytes() : undefined;
  }

  /** Paths of all files, sorted. */
  paths(): string[] {
    const paths: string[] = [];
    const walk = (folder: SimFolder, prefix: string): void => {
      for (const [name, node] of folder.names) {
        if (node instanceof SimFolder) walk(node, `${prefix}${name}/`);
        else paths.push(prefix + name);
      }
    };
    walk(this.#root, '');
    return paths.sort();
  }

  async open(path: string, options: { create: boolean }): Promise<DiskFile> {
    const file = await this.#do('open', path, () => {
      const node = this.#node(path);
      if (node instanceof SimFile) return node;
      if (node !== undefined) throw diskError('EISDIR', path);
      if (!options.create) throw diskError('ENOENT', path);
      const made = new SimFile();
      this.#link(path, made);
      return made;
    });
    return new SimHandle(this, path, file);
  }

  readFile(path: string): Promise<Buffer | undefined> {
    return this.#do('read', path, () => this.peek(path));
  }

  makeFolder(path: string): Promise<void> {
    return this.#do('makeFolder', path, () => {
      let folder = this.#root;
      for (const name of parts(path)) {
        let next = folder.names.get(name);
        if (next === undefined) folder.change([[name, (next = new SimFolder())]]);
        if (next instanceof SimFile) throw diskError('ENOTDIR', path);
        folder = next;
      }
    });
  }

  list(path: string): Promise<string[]> {
    return this.#do('read', path, () => {
      const node = this.#node(path);
      return node instanceof SimFolder ? [...node.names.keys()].sort() : [];
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#do('rename', from, () => {
      const node = this.#node(from);
      if (!(node instanceof SimFile)) throw diskError('ENOENT', from);
      const [fromFolder, fromName] = this.#place(from);
      const [toFolder, toName] = this.#place(to);
      if (from === to) return;
      this.#unlinked(toFolder.names.get(toName));
      if (fromFolder === toFolder) {
        toFolder.change([
          [fromName, undefined],
          [toName, node],
        ]);
      } else {
        toFolder.change([[toName, node]]);
        fromFolder.change([[fromName, undefined]]);
      }
    });
  }

  remove(path: string): Promise<void> {
    return this.#do('remove', path, () => {
      const node = this.#node(path);
      if (node === undefined) return;
      const [folder, name] = this.#place(path);
      this.#unlinked(node);
      folder.change([[name, undefined]]);
    });
  }

  removeFolder(path: string): Promise<void> {
    return this.#do('remove', path, () => {
      const node = this.#node(path);
      if (!(node instanceof SimFolder)) return;
      this.#empty(node);
      const [folder, name] = this.#place(path);
      folder.change([[name, undefined]]);
    });
  }

  async syncFolder(path: string): Promise<void> {
    let folder: SimFolder | undefined;
    let count = 0;
    await this.#do(
      'syncFolder',
      path,
      () => {
        const node = this.#node(path);
        if (!(node instanceof SimFolder)) throw diskError('ENOENT', path);
        folder = node;
        count = node.beginSync();
      },
      () => folder?.endSync(count),
    );
  }

  /** @internal */
  readAt(path: string, file: SimFile, into: Uint8Array, position: number): Promise<number> {
    return this.#do('read', path, () => file.read(into, position));
  }

  /** @internal */
  async writeAt(path: string, file: SimFile, bytes: Uint8Array, position: number): Promise<void> {
    const write = (): void => {
      const growth = Math.max(0, position + bytes.length - file.length);
      const room = this.capacityBytes - this.#usedBytes;
      if (file.links > 0 && growth > room) {
        const part = bytes.subarray(0, Math.max(0, bytes.length - (growth - Math.max(0, room))));
        if (part.length > 0) this.#grow(file, () => file.write(part, position));
        throw diskError('ENOSPC', path);
      }
      this.#grow(file, () => file.write(bytes, position));
    };
    // The bytes are borrowed until the answer: the disk may look at them early or late.
    if (this.#isSlow && this.#random.chance(0.5)) await this.#do('write', path, () => undefined, write);
    else await this.#do('write', path, write);
  }

  /** @internal */
  async truncateTo(path: string, file: SimFile, length: number): Promise<void> {
    await this.#do('truncate', path, () => {
      const growth = length - file.length;
      if (growth > 0 && growth > this.capacityBytes - this.#usedBytes) throw diskError('ENOSPC', path);
      this.#grow(file, () => file.truncate(length));
    });
  }

  /** @internal */
  async syncFile(path: string, file: SimFile): Promise<void> {
    const changes = file.beginSync();
    try {
      await this.#do('sync', path, () => undefined);
    } catch (error) {
      file.endSync(changes, false);
      throw error;
    }
    file.endSync(changes, true);
  }

  /** One operation: a step, a while, the effect early or late, a step. */
  async #do<T>(operation: DiskOperation, path: string, effect: () => T, lateEffect?: () => unknown): Promise<T> {
    await this.#step();
    for (const gate of this.#gates) if (gate.operation === operation && gate.path.test(path)) await gate.opened;
    this.#raise(operation, path);
    const result = effect();
    if (this.#isSlow) await this.#while();
    await this.#step();
    lateEffect?.();
    return result;
  }

  #step(): Promise<void> | undefined {
    if (!this.isStopped && ++this.steps >= this.stopAtStep) this.stop();
    // Nothing ever answers again.
    return this.isStopped ? new Promise(() => undefined) : undefined;
  }

  async #while(): Promise<void> {
    const turns = this.#random.pick([0, 0, 0, 1, 1, 2, 5]);
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
    if (this.isStopped) await new Promise(() => undefined);
  }

  #raise(operation: DiskOperation, path: string): void {
    for (const fault of this.#faults) {
      if (fault.operation !== operation || !fault.path.test(path)) continue;
      if (fault.left > 1) {
        fault.left--;
        continue;
      }
      if (fault.isLasting !== true) this.#faults = this.#faults.filter((each) => each !== fault);
      throw diskError(fault.code ?? 'EIO', path);
    }
  }

  #grow(file: SimFile, change: () => void): void {
    const before = file.length;
    change();
    if (file.links > 0) this.#usedBytes += file.length - before;
  }

  #link(path: string, file: SimFile): void {
    const [folder, name] = this.#place(path);
    file.links++;
    folder.change([[name, file]]);
  }

  #unlinked(node: SimNode | undefined): void {
    if (!(node instanceof SimFile)) return;
    node.links--;
    if (node.links === 0) this.#usedBytes -= node.length;
  }

  #empty(folder: SimFolder): void {
    for (const [name, node] of folder.names) {
      if (node instanceof SimFolder) this.#empty(node);
      this.#unlinked(node);
      folder.change([[name, undefined]]);
    }
  }

  #node(path: string): SimNode | undefined {
    let node: SimNode | undefined = this.#root;
    for (const name of parts(path)) node = node instanceof SimFolder ? node.names.get(name) : undefined;
    return node;
  }

  #place(path: string): [SimFolder, string] {
    const names = parts(path);
    const folder = this.#node(names.slice(0, -1).join('/'));
    if (!(folder instanceof SimFolder)) throw diskError('ENOENT', path);
    return [folder, names.at(-1) as string];
  }

  *#files(folder: SimFolder = this.#root): Generator<SimFile> {
    for (const node of folder.names.values()) {
      if (node instanceof SimFolder) yield* this.#files(node);
      else yield node;
    }
  }

  #next(root: SimFolder): SimDisk {
    const options = { capacityBytes: this.capacityBytes, isSlow: this.#isSlow };
    return new SimDisk(this.#random.fork(), options, root);
  }
}

class SimHandle implements DiskFile {
  readonly #disk: SimDisk;
  readonly #path: string;
  readonly #file: SimFile;
  #isOpen = true;

  constructor(disk: SimDisk, path: string, file: SimFile) {
    this.#disk = disk;
    this.#path = path;
    this.#file = file;
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return this.#whenOpen(() => this.#disk.writeAt(this.#path, this.#file, bytes, position));
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#whenOpen(() => this.#disk.readAt(this.#path, this.#file, into, position));
  }

  sync(): Promise<void> {
    return this.#whenOpen(() => this.#disk.syncFile(this.#path, this.#file));
  }

  truncate(length: number): Promise<void> {
    return this.#whenOpen(() => this.#disk.truncateTo(this.#path, this.#file, length));
  }

  size(): Promise<number> {
    return this.#whenOpen(() => Promise.resolve(this.#file.length));
  }

  close(): Promise<void> {
    this.#isOpen = false;
    return Promise.resolve();
  }

  /** A real disk would write to whatever file got the number of the closed one. */
  #whenOpen<T>(use: () => Promise<T>): Promise<T> {
    return this.#isOpen ? use() : Promise.reject(diskError('EBADF', this.#path));
  }
}

function parts(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function diskError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
