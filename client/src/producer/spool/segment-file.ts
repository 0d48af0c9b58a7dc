import type { SpoolFile, SpoolPorts } from './ports.ts';
import type { SpoolSync } from './options.ts';

const syncIntervalMs = 100;

export interface SegmentFileOptions {
  readonly sync: SpoolSync;
  readonly later: SpoolPorts['later'];
  /** A sync in the background failed. */
  onFailure(cause: unknown): void;
}

/** The file of the active segment, and when it is synced. One write at a time; syncs of the interval run beside it. */
export class SegmentFile {
  readonly #file: SpoolFile;
  readonly #options: SegmentFileOptions;
  #isDirty = false;
  #forgetTimer: (() => void) | undefined;
  #syncing: Promise<void> | undefined;
  #failure: { readonly cause: unknown } | undefined;

  constructor(file: SpoolFile, options: SegmentFileOptions) {
    this.#file = file;
    this.#options = options;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    await this.#file.write(bytes, position);
    this.#isDirty = true;
    this.#arm();
  }

  /** Makes what has been written durable. */
  async sync(): Promise<void> {
    await this.#syncing;
    await this.#syncNow();
  }

  /** Does not sync. */
  async close(): Promise<void> {
    await this.#syncing;
    this.#forgetTimer?.();
    await this.#file.close();
  }

  /** A sync that has failed is never tried again: the system may have dropped what it could not write, and say that all is well. */
  async #syncNow(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.cause;
    if (!this.#isDirty) return;
    this.#isDirty = false;
    try {
      await this.#file.sync();
    } catch (cause) {
      this.#failure = { cause };
      throw cause;
    }
  }

  #arm(): void {
    if (this.#options.sync !== 'interval' || this.#forgetTimer !== undefined) return;
    this.#forgetTimer = this.#options.later(syncIntervalMs, () => {
      this.#syncing = this.#syncBeside();
    });
  }

  async #syncBeside(): Promise<void> {
    try {
      await this.#syncNow();
    } catch (cause) {
      this.#options.onFailure(cause);
      return;
    }
    this.#syncing = undefined;
    this.#forgetTimer = undefined;
    if (this.#isDirty) this.#arm();
  }
}
