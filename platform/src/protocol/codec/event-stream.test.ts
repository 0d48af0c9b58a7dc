import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { encodeFrame } from './event-stream.ts';

const join = ({ chunks }: { readonly chunks: readonly Buffer[] }): Buffer => Buffer.concat(chunks);

test('a frame is laid out byte by byte as event streams are', () => {
  const payload = Buffer.from('{"a":1}');
  const frame = encodeFrame({ ':event-type': 'ü' }, { chunks: [payload], bytes: payload.length });
  const bytes = join(frame);
  const header = Buffer.concat([
    Buffer.from([11]),
    Buffer.from(':event-type'),
    Buffer.from([7, 0, 2]),
    Buffer.from('ü'),
  ]);
  expect(frame.bytes).toBe(bytes.length);
  expect(bytes.readUInt32BE(0)).toBe(12 + header.length + payload.length + 4);
  expect(bytes.readUInt32BE(4)).toBe(header.length);
  expect(bytes.readUInt32BE(8)).toBe(crc32(bytes.subarray(0, 8)));
  expect(bytes.subarray(12, 12 + header.length)).toEqual(header);
  expect(bytes.subarray(12 + header.length, -4)).toEqual(payload);
  expect(bytes.readUInt32BE(bytes.length - 4)).toBe(crc32(bytes.subarray(0, -4)));
});

test('an empty frame is sixteen bytes', () => {
  expect(join(encodeFrame({})).toString('hex')).toBe('000000100000000005c248eb7d98c8ff');
});

test.each([1, 65_000, 66_000, 300_000])(
  'a payload of %i bytes in several chunks is the same frame as in one',
  (bytes) => {
    const whole = Buffer.alloc(bytes, 'abc');
    const middle = bytes >> 1;
    const parts = [whole.subarray(0, middle), whole.subarray(middle)];
    const headers = { a: 'b' };
    const frame = join(encodeFrame(headers, { chunks: parts, bytes }));
    expect(frame.equals(join(encodeFrame(headers, { chunks: [whole], bytes })))).toBe(true);
    expect(frame.subarray(-4 - bytes, -4).equals(whole)).toBe(true);
  },
);
