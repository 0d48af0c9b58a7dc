import type { BufferPool } from '../../kernel/buffer-pool.ts';
import type { ByteBudget, Release } from '../../kernel/byte-budget.ts';
import type { ProtocolLimits } from '../limits.ts';
import type { NodeRequest } from './request-head.ts';
import type { StallWatch, Watched } from './stall-watch.ts';

/** What the bodies that are coming in share. */
export interface ArrivalShares {
  readonly limits: ProtocolLimits;
  /** What has come of small bodies that have not ended. */
  readonly arriving: ByteBudget;
  /** For bodies that are not small; they go back when the body is released. */
  readonly buffers: BufferPool;
  readonly watch: StallWatch;
}

/**
 * `outgrown`: of unknown length, and no small one; it is paused, not ended.
 * `gone`: the peer left or was cut; there is nobody to answer.
 */
type Failure = 'too-large' | 'busy' | 'gone' | 'outgrown';

/** All of a body, or why there is none. */
export type Collected = Buffer | Failure;

/** Takes the chunks of one body, under the watch that cuts it when it stops or takes too long. */
abstract class Collector implements Watched {
  progress = 0;
  readonly stallMs: number;
  protected readonly shares: ArrivalShares;
  readonly #request: NodeRequest;
  #finish!: (outcome: Collected) => void;

  constructor(request: NodeRequest, shares: ArrivalShares) {
    this.#request = request;
    this.shares = shares;
    this.stallMs = shares.limits.bodyStallMs;
  }

  get totalMs(): number {
    return this.shares.limits.bodyTimeoutMs;
  }

  async collect(): Promise<Collected> {
    const request = this.#request;
    const { watch } = this.shares;
    if (request.destroyed) return 'gone';
    watch.add(this);
    const outcome = await new Promise<Collected>((resolve) => {
      this.#finish = resolve;
      request.on('data', this.#onData);
      request.once('end', this.#onEnd);
      request.once('close', this.#onGone);
      request.on('error', this.#onGone);
      request.resume();
    });
    watch.remove(this);
    request.off('data', this.#onData);
    request.off('end', this.#onEnd);
    request.off('close', this.#onGone);
    return outcome;
  }

  cut(): void {
    this.#finish('gone');
    this.#request.destroy();
  }

  /** Takes a chunk, counted in `progress`. Tells why no more can be taken. */
  protected abstract take(chunk: Buffer): Failure | undefined;

  /** All that was taken, when there is no more. */
  protected abstract whole(): Collected;

  readonly #onData = (chunk: Buffer): void => {
    this.progress += chunk.length;
    const failure = this.take(chunk);
    if (failure === undefined) return;
    this.#request.pause();
    this.#finish(failure);
  };

  readonly #onEnd = (): void => this.#finish(this.whole());

  readonly #onGone = (): void => this.#finish('gone');
}

/** A body of known length, in a buffer made for it. */
export class LargeCollector extends Collector {
  readonly #length: number;
  #whole: Buffer | undefined;

  constructor(request: NodeRequest, length: number, shares: ArrivalShares) {
    super(request, shares);
    this.#length = length;
  }

  override async collect(): Promise<Collected> {
    const outcome = await super.collect();
    if (this.#whole !== undefined && outcome !== this.#whole) this.shares.buffers.give(this.#whole);
    return outcome;
  }

  protected take(chunk: Buffer): Failure | undefined {
    if (this.progress > this.#length) return 'gone';
    this.#whole ??= this.shares.buffers.take(this.#length);
    this.#whole.set(chunk, this.progress - chunk.length);
    return undefined;
  }

  protected whole(): Collected {
    return this.progress === this.#length ? (this.#whole ?? 'gone') : 'gone';
  }
}

/** From this part of its budget on, what arrives is hurried. */
const CROWDED = 0.5;

/** A small body, or one of unknown length, as a list of its chunks. */
export class SmallCollector extends Collector {
  readonly #length: number | undefined;
  readonly #chunks: Buffer[] = [];
  readonly #counted: Release[] = [];
  #bytesMax: number;
  #hasOutgrown = false;
  #hasEnded = false;

  constructor(request: NodeRequest, length: number | undefined, shares: ArrivalShares) {
    super(request, shares);
    this.#length = length;
    this.#bytesMax = length ?? Math.min(shares.limits.smallBodyBytesMax, shares.limits.bodyBytesMax);
  }

  /** Where much has come and not ended, whatever takes long must make room. */
  override get totalMs(): number {
    const { arriving, limits } = this.shares;
    const isCrowded = !this.#hasOutgrown && arriving.usedBytes > arriving.bytesMax * CROWDED;
    return isCrowded ? limits.crowdedBodyTimeoutMs : limits.bodyTimeoutMs;
  }

  override async collect(): Promise<Collected> {
    const outcome = await super.collect();
    this.#uncount();
    return outcome;
  }

  /** Makes room at once: the next need not be cut as well. */
  override cut(): void {
    this.#uncount();
    super.cut();
  }

  /** After `outgrown`, with the share of the largest: reads on. */
  async goOn(): Promise<Collected> {
    this.#hasOutgrown = true;
    this.#bytesMax = this.shares.limits.bodyBytesMax;
    if (this.progress > this.#bytesMax) return 'too-large';
    // What was taken before may have been all, and its end told already.
    return this.#hasEnded ? this.whole() : this.collect();
  }

  protected take(chunk: Buffer): Failure | undefined {
    this.#chunks.push(chunk);
    if (this.progress > this.#bytesMax) {
      if (this.#length !== undefined) return 'gone';
      return this.#hasOutgrown ? 'too-large' : 'outgrown';
    }
    // Nothing more will come, or it is counted already.
    if (this.progress === this.#length || this.#hasOutgrown) return undefined;
    const release = this.shares.arriving.tryTake(chunk.length);
    if (release === undefined) return 'busy';
    this.#counted.push(release);
    return undefined;
  }

  #uncount(): void {
    for (const release of this.#counted.splice(0)) release();
  }

  protected whole(): Collected {
    this.#hasEnded = true;
    if (this.#length !== undefined && this.progress !== this.#length) return 'gone';
    const [only] = this.#chunks;
    return this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks, this.progress);
  }
}
