import type { Readable } from 'node:stream';
import type { BufferPool } from '../../kernel/buffer-pool.ts';
import type { ByteBudget, Release } from '../../kernel/byte-budget.ts';
import type { ProtocolLimits } from '../limits.ts';
import type { NodeRequest } from './request-head.ts';
import type { StallWatch, Watched } from './stall-watch.ts';

/** What the bodies of all connections share. */
export interface BodyShares {
  readonly limits: ProtocolLimits;
  readonly small: ByteBudget;
  readonly large: ByteBudget;
  /** For bodies that are not small; they go back when the body is released. */
  readonly buffers: BufferPool;
  readonly watch: StallWatch;
}

/** A body in memory, counted until `release` is called; nobody may look at its bytes after that. */
export interface ReadBody {
  readonly kind: 'body';
  /** Whoever takes them may let go of them here. */
  bytes: Buffer | undefined;
  readonly release: Release;
}

/** `'gone'`: the peer left or was cut; there is nobody to answer. */
export type BodyOutcome =
  | ReadBody
  | { readonly kind: 'too-large' }
  | { readonly kind: 'busy' }
  | { readonly kind: 'gone' };

const EMPTY = Buffer.alloc(0);
const noRelease = (): void => undefined;
const TOO_LARGE: BodyOutcome = { kind: 'too-large' };
const BUSY: BodyOutcome = { kind: 'busy' };
/** A body of unknown length is larger than a small one; no outcome, but where its reading pauses. */
const OUTGROWN: BodyOutcome = { kind: 'too-large' };
const GONE: BodyOutcome = { kind: 'gone' };

/** A body of no bytes. */
export const noBody = (): ReadBody => ({ kind: 'body', bytes: EMPTY, release: noRelease });

/** Length a request declares; `undefined` when its body comes in chunks of unknown number. */
export function declaredLength(request: NodeRequest): number | undefined {
  const text = request.headers['content-length'];
  if (text !== undefined) return Number(text);
  if ('stream' in request) return request.stream.endAfterHeaders ? 0 : undefined;
  return request.headers['transfer-encoding'] === undefined ? 0 : undefined;
}

/**
 * Reads a whole body. Nothing is taken from the socket (beyond what Node has read already: at most one flow-control window) until
 * the body has its share of the budget. One of unknown length begins with the share of a small body and, when it turns out to be no
 * small one, waits for the share of the largest: what is small never queues behind what is large, whether it says its length or not.
 *
 * @param isReady   called when the body may come, e.g. to answer `Expect: 100-continue`
 */
export async function readBody(request: NodeRequest, shares: BodyShares, isReady: () => void): Promise<BodyOutcome> {
  const { limits } = shares;
  const length = declaredLength(request);
  if (length === 0) {
    request.resume();
    return noBody();
  }
  if (length !== undefined && !(length <= limits.bodyBytesMax)) return TOO_LARGE;
  const isSmall = length === undefined || length <= limits.smallBodyBytesMax;
  const granted = await share(
    request,
    isSmall ? shares.small : shares.large,
    length ?? limits.smallBodyBytesMax,
    shares,
  );
  if (typeof granted !== 'function') return granted;
  isReady();
  const whole = length === undefined ? undefined : await takeWhole(request, length);
  if (whole !== undefined) return { kind: 'body', bytes: whole, release: granted };
  const collector = new Collector(request, length, shares);
  const body = await collector.collect();
  if (body === OUTGROWN) return outgrown(request, collector, granted, shares);
  return held(body, granted, isSmall ? undefined : shares.buffers);
}

async function outgrown(
  request: NodeRequest,
  collector: Collector,
  small: Release,
  shares: BodyShares,
): Promise<BodyOutcome> {
  const granted = await share(request, shares.large, shares.limits.bodyBytesMax, shares);
  small();
  if (typeof granted !== 'function') return granted;
  return held(await collector.goOn(shares.limits.bodyBytesMax), granted);
}

function held(body: Buffer | BodyOutcome, granted: Release, buffers?: BufferPool): BodyOutcome {
  if (!Buffer.isBuffer(body)) {
    granted();
    return body;
  }
  let lender = buffers;
  const release = (): void => {
    lender?.give(body);
    lender = undefined; // Given back a second time, it might be somebody else's by now.
    granted();
  };
  return { kind: 'body', bytes: body, release };
}

function share(
  request: NodeRequest,
  budget: ByteBudget,
  bytes: number,
  shares: BodyShares,
): Release | Promise<Release | BodyOutcome> {
  return budget.tryTake(bytes) ?? waitForShare(request, budget, bytes, shares);
}

/**
 * A body that came in one packet with its headers, as most do: Node's parser has buffered it one microtask after it has announced the
 * request (though not yet marked it as complete), so it can be had without listeners and without a watch.
 */
async function takeWhole(request: NodeRequest, length: number): Promise<Buffer | undefined> {
  await Promise.resolve();
  if (request.readableLength !== length) return undefined;
  return (request.read() as Buffer | null) ?? undefined;
}

/**
 * Waits for a share of `budget`. Gives up when the peer leaves (seen on the connection; the request itself is not being read) or the wait
 * is too long.
 *
 * @param peer   the request or its connection
 */
export async function waitForShare(
  peer: Readable,
  budget: ByteBudget,
  bytes: number,
  { limits, watch }: BodyShares,
): Promise<Release | BodyOutcome> {
  const abort = new AbortController();
  const leave = (): void => abort.abort(GONE);
  const watched: Watched = {
    progress: 0,
    stallMs: limits.bodyWaitMs,
    totalMs: limits.bodyWaitMs,
    cut: () => abort.abort(BUSY),
  };
  if (peer.destroyed) return GONE;
  peer.once('close', leave);
  watch.add(watched);
  try {
    return await budget.take(bytes, abort.signal);
  } catch {
    return abort.signal.reason as BodyOutcome; // The budget rejects with the reason of the signal, and with nothing else.
  } finally {
    watch.remove(watched);
    peer.off('close', leave);
  }
}

/** Takes the chunks of one body into one buffer (length known) or a list of them (length unknown). */
class Collector implements Watched {
  progress = 0;
  readonly stallMs: number;
  readonly totalMs: number;
  readonly #request: NodeRequest;
  readonly #length: number | undefined;
  readonly #shares: BodyShares;
  #bytesMax: number;
  #whenFull: BodyOutcome;
  readonly #chunks: Buffer[] = [];
  #whole: Buffer | undefined;
  #hasEnded = false;
  #finish!: (outcome: Buffer | BodyOutcome) => void;

  constructor(request: NodeRequest, length: number | undefined, shares: BodyShares) {
    const { limits } = shares;
    this.#request = request;
    this.#length = length;
    this.#shares = shares;
    this.#bytesMax = length === undefined ? Math.min(limits.smallBodyBytesMax, limits.bodyBytesMax) : length;
    this.#whenFull = length === undefined ? OUTGROWN : GONE;
    this.stallMs = limits.bodyStallMs;
    this.totalMs = limits.bodyTimeoutMs;
  }

  /** After OUTGROWN: reads on, up to `bytesMax`. */
  goOn(bytesMax: number): Promise<Buffer | BodyOutcome> {
    this.#bytesMax = bytesMax;
    this.#whenFull = TOO_LARGE;
    if (this.progress > bytesMax) return Promise.resolve(TOO_LARGE);
    // What was taken before may have been all, and its end told already.
    if (this.#hasEnded) return Promise.resolve(this.#joined());
    const collected = this.collect();
    this.#request.resume();
    return collected;
  }

  async collect(): Promise<Buffer | BodyOutcome> {
    const request = this.#request;
    const { watch, buffers } = this.#shares;
    if (request.destroyed) return GONE;
    watch.add(this);
    const outcome = await new Promise<Buffer | BodyOutcome>((resolve) => {
      this.#finish = resolve;
      request.on('data', this.#onData);
      request.once('end', this.#onEnd);
      request.once('close', this.#onGone);
      request.on('error', this.#onGone);
    });
    watch.remove(this);
    request.off('data', this.#onData);
    request.off('end', this.#onEnd);
    request.off('close', this.#onGone);
    if (this.#whole !== undefined && outcome !== this.#whole) buffers.give(this.#whole);
    return outcome;
  }

  cut(): void {
    this.#finish(GONE);
    this.#request.destroy();
  }

  readonly #onData = (chunk: Buffer): void => {
    const before = this.progress;
    this.progress = before + chunk.length;
    const length = this.#length;
    if (length === undefined) this.#chunks.push(chunk);
    if (this.progress > this.#bytesMax) {
      this.#request.pause();
      this.#finish(this.#whenFull);
    } else if (chunk.length === length) {
      this.#whole = chunk;
    } else if (length !== undefined) {
      this.#whole ??= this.#makeRoom(length);
      this.#whole.set(chunk, before);
    }
  };

  #makeRoom(length: number): Buffer {
    const { limits, buffers } = this.#shares;
    return length <= limits.smallBodyBytesMax ? Buffer.allocUnsafeSlow(length) : buffers.take(length);
  }

  #joined(): Buffer {
    return Buffer.concat(this.#chunks, this.progress);
  }

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    if (this.#length === undefined) this.#finish(this.#joined());
    else this.#finish(this.progress === this.#length && this.#whole !== undefined ? this.#whole : GONE);
  };

  readonly #onGone = (): void => this.#finish(GONE);
}
