import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { FrameReader, type EventFrame } from '../../wire/event-stream.ts';
import type { OpenAnswer } from '../../wire/channel.ts';
import { assertEndRule, type ChildShard, type WireRecord } from './shapes.ts';

export interface ShardEvent {
  readonly Records: readonly WireRecord[];
  readonly ContinuationSequenceNumber?: string;
  readonly MillisBehindLatest: number;
  readonly ChildShards?: readonly ChildShard[];
}

/** The answer to a subscription that is not granted. */
export interface Refusal {
  readonly status: number;
  readonly type: string | undefined;
  readonly message: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

const eventMsMax = 10_000;
/** Without records, one after another, where some are expected. */
const emptyEventsMax = 3;

/** A subscription under way; every event is held against what the KCL accepts. */
export class Subscription {
  readonly headers: Readonly<Record<string, string>>;
  readonly #answer: OpenAnswer;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #reader = new FrameReader();
  readonly #frames: EventFrame[] = [];
  #isOpening = true;

  constructor(answer: OpenAnswer) {
    this.headers = answer.headers;
    this.#answer = answer;
    this.#chunks = (answer.body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    // An error comes out of the iterator as well.
    answer.body.on('error', () => {});
  }

  /** Undefined at the end, which is never in the middle of a message. */
  async frame(): Promise<EventFrame | undefined> {
    while (this.#frames.length === 0) {
      const { done, value } = await within(this.#chunks.next());
      if (done === true) {
        assert.ok(this.#reader.isAtBoundary, 'bytes of a message that never came whole');
        assert.ok(this.#answer.isWhole(), 'the server ended the stream of events');
        return undefined;
      }
      this.#frames.push(...this.#reader.push(value));
    }
    return this.#frames.shift();
  }

  /** The next event; the message that opens the stream comes first, once. Undefined at the end. */
  async event(): Promise<ShardEvent | undefined> {
    if (this.#isOpening) await this.#initialResponse();
    const frame = await this.frame();
    if (frame === undefined) return undefined;
    assert.equal(frame.headers[':message-type'], 'event', frame.payload.toString());
    assert.equal(frame.headers[':event-type'], 'SubscribeToShardEvent');
    const event = JSON.parse(frame.payload.toString()) as ShardEvent;
    assertEvent(event);
    return event;
  }

  /** The records that come until `count` of them are there, or until the end. */
  async take(count: number): Promise<{ records: WireRecord[]; last: ShardEvent | undefined }> {
    const records: WireRecord[] = [];
    let last: ShardEvent | undefined;
    for (let emptyEvents = 0; records.length < count;) {
      const event = await this.event();
      if (event === undefined) break;
      emptyEvents = event.Records.length > 0 ? 0 : emptyEvents + 1;
      assert.ok(emptyEvents < emptyEventsMax, `${records.length} of ${count} records have come`);
      records.push(...event.Records);
      last = event;
    }
    return { records, last };
  }

  /** How it ended: the exception in the stream, or nothing. */
  async ending(): Promise<string | undefined> {
    if (this.#isOpening) await this.#initialResponse();
    for (let frame; (frame = await this.frame()) !== undefined;) {
      if (frame.headers[':message-type'] === 'event') continue;
      assert.equal(frame.headers[':message-type'], 'exception');
      assert.equal(typeof (JSON.parse(frame.payload.toString()) as { message?: string }).message, 'string');
      return frame.headers[':exception-type'];
    }
    return undefined;
  }

  cancel(): void {
    this.#answer.body.destroy();
  }

  async #initialResponse(): Promise<void> {
    this.#isOpening = false;
    const frame = await this.frame();
    assert.equal(frame?.headers[':message-type'], 'event');
    assert.equal(frame.headers[':event-type'], 'initial-response', 'the first message');
    assert.equal(frame.payload.toString(), '{}');
  }
}

/** What FanOutRecordsPublisher needs of every event. Source: clients reference §2.5. */
function assertEvent({ Records, MillisBehindLatest, ContinuationSequenceNumber, ChildShards }: ShardEvent): void {
  assert.ok(Array.isArray(Records), 'Records is a list');
  assert.equal(typeof MillisBehindLatest, 'number', 'MillisBehindLatest');
  assertEndRule(ContinuationSequenceNumber, ChildShards);
}

export async function refusalOf({ status, headers, body }: OpenAnswer): Promise<Refusal> {
  const chunks: Buffer[] = [];
  for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk);
  const error = JSON.parse(Buffer.concat(chunks).toString()) as { __type?: string; message?: string };
  return { status, type: error.__type?.split('#').at(-1), message: error.message, headers };
}

async function within<Value>(promise: Promise<Value>): Promise<Value> {
  const timer = new AbortController();
  const late = sleep(eventMsMax, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`nothing came within ${eventMsMax} ms`);
  });
  // Of the one that loses nobody asks.
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}
