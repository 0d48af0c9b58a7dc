import type { Logger } from '../../kernel/logger.ts';
import { InternalFailureException, WireError } from '../../model/index.ts';
import type { ByteWriter, Encoded } from '../codec/byte-writer.ts';
import { encodeFrame } from '../codec/event-stream.ts';
import { writeString } from '../codec/json-writer.ts';
import { contentTypes } from './answers.ts';
import type { ServedOperation } from './service-table.ts';

export const eventStreamType = 'application/vnd.amazon.eventstream';

/** An event by its name, as a handler's iterator gives it. */
type NamedEvent = Readonly<Record<string, unknown>>;

const emptyObject = Buffer.from('{}');
/** Clients of the AWS CLI's kind fail without it; the others pass over it. */
const initialFrame = encodeFrame(eventHeaders('initial-response'), { chunks: [emptyObject], bytes: 2 });

/** Frames of events, kept as long as the event lives: many readers get the same one. */
const frames = new WeakMap<NamedEvent, Encoded>();

/**
 * An answer that is a stream of events: gives frame after frame, each made when it is asked for. A WireError of the source is its last
 * frame, and so is any other error, as InternalFailureException.
 */
export class EventAnswer {
  readonly #operation: ServedOperation;
  readonly #events: AsyncIterator<NamedEvent>;
  readonly #writer: ByteWriter;
  readonly #logger: Logger;
  #state: 'new' | 'open' | 'over' = 'new';

  constructor(operation: ServedOperation, output: unknown, parts: { writer: ByteWriter; logger: Logger }) {
    const [events] = Object.values(output as Record<string, AsyncIterable<NamedEvent>>) as [AsyncIterable<NamedEvent>];
    this.#operation = operation;
    this.#events = events[Symbol.asyncIterator]();
    this.#writer = parts.writer;
    this.#logger = parts.logger;
  }

  /** Undefined after the last one. */
  async next(): Promise<Encoded | undefined> {
    if (this.#state === 'over') return undefined;
    if (this.#state === 'new') {
      this.#state = 'open';
      return initialFrame;
    }
    try {
      const result = await this.#events.next();
      if (result.done !== true) return this.#frameOf(result.value);
      this.#state = 'over';
      return undefined;
    } catch (error) {
      this.#state = 'over';
      return this.#errorFrame(error);
    }
  }

  /** Ends the source; also one that is being waited for. */
  stop(): void {
    void this.#events.return?.();
  }

  #frameOf(event: NamedEvent): Encoded {
    const known = frames.get(event);
    if (known !== undefined) return known;
    const [[name, content]] = Object.entries(event) as [[string, unknown]];
    const write = this.#operation.eventWriters().get(name);
    if (write === undefined) throw new Error(`the model has no event ${name}`);
    const out = this.#writer;
    out.reset();
    write(out, content);
    const frame = encodeFrame(eventHeaders(name), out.finish());
    frames.set(event, frame);
    return frame;
  }

  #errorFrame(error: unknown): Encoded {
    const isKnown = error instanceof WireError;
    if (!isKnown) this.#logger.error({ error, operation: this.#operation.name }, 'a stream of events failed');
    const told = isKnown ? error : new InternalFailureException('The stream of events has failed.');
    const out = this.#writer;
    out.reset();
    out.ascii('{"message":');
    writeString(out, told.message);
    out.ascii('}');
    return encodeFrame(
      { ':message-type': 'exception', ':exception-type': told.code, ':content-type': contentTypes.json },
      out.finish(),
    );
  }
}

function eventHeaders(name: string): Record<string, string> {
  return { ':message-type': 'event', ':event-type': name, ':content-type': contentTypes.json };
}
