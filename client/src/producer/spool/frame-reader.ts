import { Buffer } from 'node:buffer';
import type { Frame } from './format.ts';
import type { SpooledRecord } from './options.ts';

/** The records of a frame, with their numbers; copies. Ends early where the payload is not as it says. */
export function* recordsOf({ payload, count, first }: Frame): Generator<{ number: number; record: SpooledRecord }> {
  const reader = new PayloadReader(payload);
  for (let i = 0; i < count; i++) {
    const partitionKey = reader.take(reader.varint()).toString();
    const hashKeyBytes = reader.varint();
    const explicitHashKey = hashKeyBytes === 0 ? undefined : reader.take(hashKeyBytes - 1).toString();
    const data = Buffer.from(reader.take(reader.varint()));
    if (reader.isMalformed) return;
    yield { number: first + i, record: { partitionKey, explicitHashKey, data } };
  }
}

/** Whether the payload holds as many records as it says, and nothing else. */
export function hasRecords({ payload, count }: Frame): boolean {
  const reader = new PayloadReader(payload);
  for (let i = 0; i < count && !reader.isMalformed; i++) {
    reader.take(reader.varint());
    reader.take(Math.max(0, reader.varint() - 1));
    reader.take(reader.varint());
  }
  return reader.isAtEnd;
}

/** The settled ranges of a frame; undefined when it is not as it says. */
export function rangesOf({ payload, count, first }: Frame): Array<{ start: number; end: number }> | undefined {
  const reader = new PayloadReader(payload);
  const ranges: Array<{ start: number; end: number }> = [];
  let end = first;
  for (let i = 0; i < count && !reader.isMalformed; i++) {
    const delta = reader.varint();
    const start = end + (delta % 2 === 0 ? delta / 2 : -(delta + 1) / 2);
    end = start + reader.varint() + 1;
    ranges.push({ start, end });
  }
  return reader.isAtEnd ? ranges : undefined;
}

/** Never past the end, and never throws. */
class PayloadReader {
  isMalformed = false;
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return !this.isMalformed && this.#at === this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 53 && this.#at < this.#bytes.length; factor *= 0x80) {
      const byte = this.#bytes[this.#at++] as number;
      if (byte < 0x80) return value + byte * factor;
      value += (byte - 0x80) * factor;
    }
    this.isMalformed = true;
    return 0;
  }

  take(bytes: number): Buffer {
    const end = this.#at + bytes;
    if (end > this.#bytes.length) this.isMalformed = true;
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = Math.min(end, this.#bytes.length);
    return taken;
  }
}
