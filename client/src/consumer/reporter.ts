import { channel } from 'node:diagnostics_channel';
import type { Timing } from '../timing.ts';
import type { ConsumerEvent } from './events.ts';
import { type Counts, noCounts } from './metrics.ts';

/** Each {@link ConsumerEvent}. */
const events = channel('millrace:consumer:event');
const warningName = 'MillraceConsumer';
/** Between warnings of a kind. */
const warnEveryMs = 60_000;

/** What is counted of events that are not counted where they happen. */
const countOf: Readonly<Partial<Record<ConsumerEvent['type'], keyof Counts>>> = {
  leaseTaken: 'TakenLeases',
  leaseLost: 'LostLeases',
  shardEnded: 'ShardsEnded',
  checkpointed: 'Checkpoints',
  handlerFailed: 'HandlerFailures',
  fetchFailed: 'FetchFailures',
  fanOutFailed: 'FanOutFailures',
  leasesFailed: 'LeaseStoreFailures',
  misplacedAggregate: 'MisplacedAggregates',
};

/** Counts what happens and tells those who want to know. */
export class Reporter {
  readonly counts: Counts = noCounts();
  readonly #onEvent: ((event: ConsumerEvent) => void) | undefined;
  readonly #timing: Timing;
  /** By the type of event. */
  readonly #warnedMs = new Map<string, number>();

  constructor(onEvent: ((event: ConsumerEvent) => void) | undefined, timing: Timing) {
    this.#onEvent = onEvent;
    this.#timing = timing;
  }

  readonly report = (event: ConsumerEvent): void => {
    const name = countOf[event.type];
    if (name !== undefined) this.counts[name]++;
    if (event.type === 'deadLettered') this.counts.DeadLetters += event.recordCount;
    if (events.hasSubscribers) events.publish(event);
    if (this.#onEvent === undefined) return this.#warnOf(event);
    try {
      this.#onEvent(event);
    } catch (error) {
      process.emitWarning(`onEvent failed: ${String(error)}`, warningName); // It must not stop what tells it.
    }
  };

  /** What nobody looks at must not go unseen, nor fill the log. */
  #warnOf(event: ConsumerEvent): void {
    const text = warningOf(event);
    if (text === undefined) return;
    const nowMs = this.#timing.now();
    if (nowMs - (this.#warnedMs.get(event.type) ?? -Infinity) < warnEveryMs) return;
    this.#warnedMs.set(event.type, nowMs);
    process.emitWarning(`${text}; it is tried again (the setting onEvent tells of each)`, warningName);
  }
}

/** Of what stops the work, as text; undefined of the rest. */
function warningOf(event: ConsumerEvent): string | undefined {
  switch (event.type) {
    case 'handlerFailed':
      return `the handler failed for the record ${event.position} of ${event.shardId}: ${String(event.error)}`;
    case 'stalled':
      return `nothing could be fetched from ${event.shardId}, so its lease was given up`;
    case 'handlerGoesOn':
      return `a handler goes on although the lease of ${event.shardId} is gone, and the shard is not taken here meanwhile`;
    case 'fetchFailed':
      return `records of ${event.shardId} could not be fetched: ${String(event.error)}`;
    case 'positionsFailed':
      return `the position of ${event.shardId} could not be read: ${String(event.error)}`;
    case 'deadLetterFailed':
      return `dead letters of ${event.shardId} could not be written: ${String(event.error)}`;
    case 'leasesFailed':
      return `the lease store failed: ${String(event.error)}`;
    case 'leaseTaken':
    case 'leaseLost':
    case 'leaseReleased':
    case 'checkpointed':
    case 'shardEnded':
    case 'deadLettered':
    case 'fanOutDelayed':
    case 'fanOutFailed':
    case 'misplacedAggregate':
      return undefined;
  }
}
