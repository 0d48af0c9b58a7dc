import type { SpoolDisk, SpoolFile, SpoolPorts } from '../ports.ts';

type Operation = 'list' | 'read' | 'create' | 'cut' | 'remove' | 'sync' | 'file write' | 'file sync' | 'file close';

interface StoredFile {
  bytes: Buffer;
  /** Length that is on disk for good. */
  durable: number;
}

/** A folder in memory that counts, fails, waits, and is cut off from power. */
export class TestDisk implements SpoolDisk {
  readonly files = new Map<string, StoredFile>();
  readonly counts = new Map<Operation, number>();
  /** Makes operations fail, while it says so. */
  fails: (operation: Operation) => boolean = () => false;
  /** What a write waits for, with half of its bytes written. */
  writeGate: Promise<unknown> | undefined;
  syncGate: Promise<unknown> | undefined;
  isLocked = false;
  #durableNames = new Map<string, StoredFile>();
  #timers = new Set<() => void>();
  #isDead = false;

  get ports(): SpoolPorts {
    return {
      disk: () => this,
      lock: () => {
        if (this.isLocked) return Promise.resolve(undefined);
        this.isLocked = true;
        return Promise.resolve({ release: () => (this.isLocked = false) });
      },
      later: (_ms, call) => {
        this.#timers.add(call);
        return () => this.#timers.delete(call);
      },
    };
  }

  /** Runs what waits for a timer. */
  passTime(): void {
    const timers = [...this.#timers];
    this.#timers.clear();
    for (const call of timers) call();
  }

  get hasTimers(): boolean {
    return this.#timers.size > 0;
  }

  get bytes(): number {
    return [...this.files.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  names(): string[] {
    return [...this.files.keys()].sort();
  }

  /** The files as they are; whoever uses this disk has no more of it. */
  kill(): TestDisk {
    this.#isDead = true;
    return this.copy();
  }

  /** The files as they are. */
  copy(): TestDisk {
    const copy = new TestDisk();
    for (const [name, { bytes }] of this.files) copy.put(name, bytes);
    return copy;
  }

  /** What was not synced is lost, from a place on that `random` says; so are new names, and names that were removed are there again. */
  cutPower(random: () => number): TestDisk {
    this.#isDead = true;
    const copy = new TestDisk();
    for (const name of new Set([...this.files.keys(), ...this.#durableNames.keys()])) {
      const isSure = this.files.has(name) && this.#durableNames.has(name);
      const file = this.files.get(name) ?? this.#durableNames.get(name);
      if (file === undefined || (!isSure && random() < 0.5)) continue;
      copy.put(name, file.bytes.subarray(0, file.durable + Math.floor(random() * (file.bytes.length - file.durable))));
    }
    return copy;
  }

  /** A file that is on disk for good. */
  put(name: string, bytes: Uint8Array): void {
    const file = { bytes: Buffer.from(bytes), durable: bytes.length };
    this.files.set(name, file);
    this.#durableNames.set(name, file);
  }

  async list(): Promise<string[]> {
    await this.#step('list');
    return [...this.files.keys(), 'lock', 'of-somebody.else'].reverse();
  }

  async read(name: string): Promise<Buffer> {
    await this.#step('read');
    return Buffer.from(this.#file(name).bytes);
  }

  async create(name: string): Promise<SpoolFile> {
    await this.#step('create');
    if (this.files.has(name)) throw Object.assign(new Error(`${name} is there`), { code: 'EEXIST' });
    const file: StoredFile = { bytes: Buffer.alloc(0), durable: 0 };
    this.files.set(name, file);
    return {
      write: async (bytes, position) => {
        if (position !== file.bytes.length) throw new Error(`not at the end: ${position}`);
        await this.#step('file write');
        const half = bytes.length >> 1;
        file.bytes = Buffer.concat([file.bytes, bytes.subarray(0, half)]);
        await this.writeGate;
        this.#check('file write');
        file.bytes = Buffer.concat([file.bytes, bytes.subarray(half)]);
      },
      sync: async () => {
        const { length } = file.bytes;
        await this.#step('file sync');
        await this.syncGate;
        this.#check('file sync');
        file.durable = length;
      },
      close: () => this.#step('file close'),
    };
  }

  async cut(name: string, bytes: number): Promise<void> {
    await this.#step('cut');
    this.put(name, this.#file(name).bytes.subarray(0, bytes));
  }

  async remove(name: string): Promise<void> {
    await this.#step('remove');
    this.files.delete(name);
  }

  async sync(): Promise<void> {
    const names = new Map(this.files);
    await this.#step('sync');
    this.#durableNames = names;
  }

  #file(name: string): StoredFile {
    const file = this.files.get(name);
    if (file === undefined) throw Object.assign(new Error(`no ${name}`), { code: 'ENOENT' });
    return file;
  }

  async #step(operation: Operation): Promise<void> {
    this.counts.set(operation, (this.counts.get(operation) ?? 0) + 1);
    await Promise.resolve();
    this.#check(operation);
  }

  #check(operation: Operation): void {
    if (this.#isDead || this.fails(operation)) throw Object.assign(new Error(`EIO: ${operation}`), { code: 'EIO' });
  }
}
