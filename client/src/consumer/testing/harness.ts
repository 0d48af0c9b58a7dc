import { ManualTiming } from '../../testing/manual-timing.ts';
import { Consumer } from '../consumer.ts';
import type { ConsumerEvent } from '../events.ts';
import type { LeaseStore } from '../leases/lease.ts';
import { MemoryLeaseStore } from '../leases/memory.ts';
import type { ConsumerRecord } from '../record.ts';
import type { ConsumerOptions, ConsumerSettings } from '../settings.ts';
import { FakeStream } from './fake-stream.ts';

/** A stream, its leases and a clock. */
export class Harness {
  readonly timing = new ManualTiming();
  readonly stream: FakeStream;
  readonly leases = new MemoryLeaseStore();
  readonly events: ConsumerEvent[] = [];
  /** What handlers made by {@link collect} were given: `KEY TEXT`. */
  readonly seen: string[] = [];

  constructor(shards = 1) {
    this.stream = new FakeStream(this.timing, shards);
  }

  async open(settings: ConsumerSettings & { readonly leases?: LeaseStore } = {}): Promise<Consumer> {
    const ground = {
      calls: this.stream,
      callsOf: () => ({ putRecords: () => Promise.resolve([]) }),
      timing: this.timing,
    };
    const onEvent = (event: ConsumerEvent): void => void this.events.push(event);
    const options: Omit<ConsumerOptions, 'client'> = {
      stream: 's',
      application: 'a',
      leases: this.leases,
      startAt: 'TRIM_HORIZON',
      retrieval: 'polling',
      onEvent,
      ...settings,
    };
    const opening = Consumer.openOn(ground, options as ConsumerOptions);
    opening.catch(() => undefined); // Told below.
    await this.timing.pass(1);
    return opening;
  }

  readonly collect = (record: ConsumerRecord): void => void this.seen.push(`${record.partitionKey} ${record.text()}`);

  /** Closes it, with as much time as that takes. */
  async close(consumer: Consumer): Promise<void> {
    let isClosed = false;
    const closing = consumer.close().finally(() => (isClosed = true));
    for (let i = 0; i < 100 && !isClosed; i++) await this.timing.pass(500);
    await closing;
  }

  typesOf(...types: ReadonlyArray<ConsumerEvent['type']>): string[] {
    return this.events.map(({ type }) => type).filter((type) => types.includes(type));
  }
}
