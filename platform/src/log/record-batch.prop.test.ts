import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c } from './crc32c.ts';
import {
  BatchBuilder,
  BatchReader,
  batchHeaderBytes,
  readBatchHeader,
  recordOverheadBytesMax,
  stampBatch,
} from './record-batch.ts';

interface Input {
  readonly key: string;
  readonly value: Uint8Array;
}

const inputs: fc.Arbitrary<Input[]> = fc.array(
  fc.record({
    // Units include unpaired surrogates, which UTF-8 cannot hold.
    key: fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'binary', maxLength: 256 }),
      fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 80 }).map((units) => String.fromCharCode(...units)),
    ),
    value: fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.constant(new Uint8Array(0)),
      fc.constant(new Uint8Array(8192).fill(7)),
    ),
  }),
  { minLength: 1, maxLength: 200, size: 'medium' },
);

function encode(records: readonly Input[]): Buffer {
  const room = records.reduce(
    (sum, { key, value }) => sum + Buffer.byteLength(key) + value.length + recordOverheadBytesMax,
    batchHeaderBytes,
  );
  const builder = new BatchBuilder(room);
  for (const { key, value } of records) builder.add(key, Buffer.byteLength(key), value);
  return builder.finish();
}

/** Reads Kafka's format as its documentation tells it, with nothing of the code under test. */
function decodeKafka(bytes: Buffer): {
  baseOffset: bigint;
  times: Set<bigint>;
  records: Array<{ offset: bigint; key: Buffer; value: Buffer }>;
} {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const int = (size: 1 | 2 | 4 | 8): bigint => {
    let value = 0n;
    for (let i = 0; i < size; i++) value = (value << 8n) | BigInt(view.getUint8(at++));
    return BigInt.asIntN(size * 8, value);
  };
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = view.getUint8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return (value >> 1n) ^ -(value & 1n);
    }
  };
  const take = (count: bigint): Buffer => bytes.subarray(at, (at += Number(count)));
  const baseOffset = int(8);
  const batchLength = int(4);
  expect(Number(batchLength)).toBe(bytes.length - 12);
  int(4); // Partition leader epoch.
  expect(int(1), 'magic').toBe(2n);
  const crc = view.getUint32(at);
  at += 4;
  expect(crc32c(bytes.subarray(at)), 'the checksum covers attributes to end').toBe(crc);
  const attributes = int(2);
  expect(attributes & 0b111n, 'no compression').toBe(0n);
  expect(attributes & ~0b1000n, 'neither transactional nor control').toBe(0n);
  const lastOffsetDelta = int(4);
  const baseTimestamp = int(8);
  const maxTimestamp = int(8);
  expect([int(8), int(2), int(4)], 'producer id, epoch, base sequence').toEqual([-1n, -1n, -1n]);
  const count = int(4);
  expect(lastOffsetDelta).toBe(count - 1n);
  const times = new Set<bigint>([maxTimestamp]);
  const records = [];
  for (let i = 0n; i < count; i++) {
    const length = varint();
    const end = BigInt(at) + length;
    expect(int(1), 'record attributes').toBe(0n);
    times.add(attributes & 0b1000n ? maxTimestamp : baseTimestamp + varint());
    if (attributes & 0b1000n) varint();
    const offset = baseOffset + varint();
    const key = take(varint());
    const value = take(varint());
    expect(varint(), 'headers').toBe(0n);
    expect(BigInt(at)).toBe(end);
    records.push({ offset, key, value });
  }
  expect(at).toBe(bytes.length);
  return { baseOffset, times, records };
}

test('the checksum is CRC-32C', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe306_9283);
});

test('what is encoded reads back, by our reader and by one made from the documentation', () => {
  fc.assert(
    fc.property(inputs, fc.maxSafeNat(), fc.integer({ min: 0, max: 4e12 }), (records, baseOffset, timeMs) => {
      const batch = encode(records);
      stampBatch(batch, baseOffset, timeMs);
      expect(readBatchHeader(batch, 0)).toEqual({
        baseOffset,
        recordCount: records.length,
        timeMs,
        bytes: batch.length,
      });
      const decoded = decodeKafka(batch);
      expect(decoded.times).toEqual(new Set([BigInt(timeMs)]));
      const reader = new BatchReader(batch);
      records.forEach(({ key, value }, i) => {
        const keyBytes = Buffer.from(key);
        expect(reader.next()).toBe(true);
        expect(batch.subarray(reader.keyStart, reader.keyEnd).equals(keyBytes)).toBe(true);
        expect(batch.subarray(reader.valueStart, reader.valueEnd).equals(value)).toBe(true);
        expect(decoded.records[i]?.offset).toBe(BigInt(baseOffset) + BigInt(i));
        expect(decoded.records[i]?.key.equals(keyBytes)).toBe(true);
        expect(decoded.records[i]?.value.equals(value)).toBe(true);
      });
      expect(reader.next()).toBe(false);
    }),
    { seed: 1, numRuns: 150 },
  );
});

test('a record of 10 MiB and 500 records around the steps of varints read back', () => {
  const sizes = [0, 1, 63, 64, 8191, 8192, 1_048_575, 1_048_576, 10 * 1024 * 1024];
  const records = [...sizes, ...Array.from({ length: 500 }, () => 3)].map((bytes, i) => ({
    key: i % 2 === 0 ? 'ключ' : 'k'.repeat(1 + (i % 256)),
    value: new Uint8Array(bytes).fill(i),
  }));
  const batch = encode(records);
  stampBatch(batch, 2 ** 40, 1_700_000_000_123);
  const decoded = decodeKafka(batch);
  expect(decoded.baseOffset).toBe(2n ** 40n);
  expect(decoded.records.map((record) => record.value.length)).toEqual(records.map((record) => record.value.length));
  const reader = new BatchReader(batch);
  for (const { value } of records) {
    expect(reader.next()).toBe(true);
    expect(batch.compare(value, 0, value.length, reader.valueStart, reader.valueEnd)).toBe(0);
  }
  expect(reader.next()).toBe(false);
});

test('a lone surrogate is stored as the replacement character, like everywhere in UTF-8', () => {
  const batch = encode([{ key: 'a\ud800b', value: Buffer.from('v') }]);
  const reader = new BatchReader(batch);
  reader.next();
  expect(batch.toString('utf8', reader.keyStart, reader.keyEnd)).toBe('a\ufffdb');
});

test('a batch may lie anywhere in other bytes, and is no batch when cut short', () => {
  fc.assert(
    fc.property(inputs, fc.nat(100), fc.nat(100), (records, before, after) => {
      const batch = encode(records);
      stampBatch(batch, 5, 6);
      const bytes = Buffer.concat([Buffer.alloc(before, 2), batch, Buffer.alloc(after, 2)]);
      expect(readBatchHeader(bytes, before)?.bytes).toBe(batch.length);
      expect(readBatchHeader(batch.subarray(0, batch.length - 1), 0)).toBeUndefined();
      expect(readBatchHeader(batch.subarray(0, batchHeaderBytes - 1), 0)).toBeUndefined();
    }),
    { seed: 1, numRuns: 50 },
  );
});

test('the header reader survives any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(220), (bytes, at) => {
      const buffer = Buffer.from(bytes);
      if (at + 16 < buffer.length) buffer[at + 16] = 2;
      const header = readBatchHeader(buffer, at);
      if (header !== undefined) expect(at + header.bytes).toBeLessThanOrEqual(buffer.length);
    }),
    { seed: 1, numRuns: 500 },
  );
});
