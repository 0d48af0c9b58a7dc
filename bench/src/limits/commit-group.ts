import { fdatasync, writev } from 'node:fs';

interface Append {
  readonly bytes: Buffer;
  readonly onDurable: () => void;
}

/** Appends to one file; while one group is written and synced, the next gathers. */
export class CommitGroup {
  readonly #file: number;
  #waiting: Append[] = [];
  #isBusy = false;

  constructor(file: number) {
    this.#file = file;
  }

  append(bytes: Buffer, onDurable: () => void): void {
    this.#waiting.push({ bytes, onDurable });
    if (!this.#isBusy) this.#commit();
  }

  #commit(): void {
    this.#isBusy = true;
    const appends = this.#waiting;
    this.#waiting = [];
    const buffers = appends.map((each) => each.bytes);
    writev(this.#file, buffers, (writeError) => {
      if (writeError !== null) throw writeError;
      fdatasync(this.#file, (syncError) => {
        if (syncError !== null) throw syncError;
        for (const { onDurable } of appends) onDurable();
        if (this.#waiting.length > 0) this.#commit();
        else this.#isBusy = false;
      });
    });
  }
}
