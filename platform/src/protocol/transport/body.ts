import type { Readable } from 'node:stream';
import { assert } from '../../kernel/assert.ts';
import type { BufferPool } from '../../kernel/buffer-pool.ts';
import type { ByteBudget, Release } from '../../kernel/byte-budget.ts';
import { type ArrivalShares, type Collected, LargeCollector, SmallCollector } from './collector.ts';
import { isHttp2, type NodeRequest } from './request-head.ts';
import type { Watched } from './stall-watch.ts';

/** What the bodies of all connections share. */
export interface BodyShares extends ArrivalShares {
  /** Small bodies that have come whole. */
  readonly small: ByteBudget;
  readonly large: ByteBudget;
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
 * Reads a whole body. Of a large one nothing is taken from the socket (beyond what Node has read already: at most one flow-control window)
 * until the body has its share of the budget. A small one, which Node would read anyway, is taken as it comes and has its share when it is
 * whole: so one that stops coming holds up nobody. One of unknown length is a small one until it turns out not to be; then it waits for the
 * share of the largest.
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
  if (length === undefined || length <= limits.smallBodyBytesMax) return readSmall(request, length, shares, isReady);
  const granted = await share(request, shares.large, length, shares);
  if (typeof granted !== 'function') return granted;
  isReady();
  return held(await new LargeCollector(request, length, shares).collect(), granted, shares.buffers);
}

async function readSmall(
  request: NodeRequest,
  length: number | undefined,
  shares: BodyShares,
  isReady: () => void,
): Promise<BodyOutcome> {
  isReady();
  const whole = length === undefined ? undefined : await takeWhole(request, length);
  const collector = new SmallCollector(request, length, shares);
  const body = whole ?? (await collector.collect());
  if (body === 'outgrown') return outgrown(request, collector, shares);
  if (!Buffer.isBuffer(body)) return failed(body);
  const granted = await share(connectionOf(request), shares.small, body.length, shares);
  return typeof granted === 'function' ? held(body, granted) : granted;
}

async function outgrown(request: NodeRequest, collector: SmallCollector, shares: BodyShares): Promise<BodyOutcome> {
  const granted = await share(connectionOf(request), shares.large, shares.limits.bodyBytesMax, shares);
  return typeof granted === 'function' ? held(await collector.goOn(), granted) : granted;
}

/** @param lender   of the body's memory */
function held(body: Collected, granted: Release, lender?: BufferPool): BodyOutcome {
  if (!Buffer.isBuffer(body)) {
    granted();
    return failed(body);
  }
  let isLent = lender !== undefined;
  const release = (): void => {
    // Given back a second time, it might be somebody else's by now.
    if (isLent) lender?.give(body);
    isLent = false;
    granted();
  };
  return { kind: 'body', bytes: body, release };
}

function failed(kind: Exclude<Collected, Buffer>): BodyOutcome {
  assert(kind !== 'outgrown', 'what has outgrown one share waits for the next');
  return { kind };
}

/** What closes when the peer leaves, also after the request has been read. */
function connectionOf(request: NodeRequest): Readable {
  return isHttp2(request) ? request.stream : request.socket;
}

function share(
  peer: Readable,
  budget: ByteBudget,
  bytes: number,
  shares: BodyShares,
): Release | Promise<Release | BodyOutcome> {
  return budget.tryTake(bytes) ?? waitForShare(peer, budget, bytes, shares);
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
