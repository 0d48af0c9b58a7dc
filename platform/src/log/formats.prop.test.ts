import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SimDisk } from '../../../testing/src/sim-disk.ts';
import { blockHeaderBytes, isBlockSound, readBlockHeader, sealBlock, type BlockRef } from './block.ts';
import {
  entryHeaderBytes,
  frameEntries,
  frameHeaderBytes,
  readFrame,
  sealFrame,
  writeEntry,
  type FrameEntry,
} from './frame.ts';
import { decodeIndex, encodeIndex, scanSegment, SegmentIndex } from './segment-index.ts';
import { readUint64, writeUint64 } from './uint64.ts';

const number32 = fc.nat(0xffff_ffff);

test('whole numbers up to 2^53 go through 8 bytes', () => {
  fc.assert(
    fc.property(fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1)), (value) => {
      const bytes = Buffer.alloc(10);
      writeUint64(bytes, 1, value);
      expect(readUint64(bytes, 1)).toBe(value);
      expect(bytes.readBigUInt64BE(1)).toBe(BigInt(value));
    }),
    { seed: 1 },
  );
});

interface Framed {
  readonly frame: Buffer;
  readonly entries: FrameEntry[];
  readonly header: { generation: number; commit: number; durableUpTo: number; folderId: number };
}

const framed: fc.Arbitrary<Framed> = fc
  .record({
    entries: fc.array(
      fc.record({
        kind: fc.constantFrom(1, 2),
        group: number32,
        shard: number32,
        payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      }),
      { minLength: 1, maxLength: 8 },
    ),
    header: fc.record({
      generation: fc.maxSafeNat(),
      commit: fc.maxSafeNat(),
      durableUpTo: fc.maxSafeNat(),
      folderId: fc.maxSafeNat(),
    }),
  })
  .map(({ entries, header }) => {
    const length = entries.reduce((sum, entry) => sum + entryHeaderBytes + entry.payload.length, frameHeaderBytes);
    return { frame: Buffer.alloc(length), entries, header };
  });

function sealed({ frame, entries, header }: Framed, position: number): Buffer {
  let at = frameHeaderBytes;
  for (const entry of entries) at = writeEntry(frame, at, entry);
  sealFrame(frame, { ...header, length: frame.length, entryCount: entries.length, position });
  return frame;
}

test('a frame reads back where it was written, and nowhere else', () => {
  fc.assert(
    fc.property(framed, fc.nat(5), (input, sector) => {
      const position = sector * 512;
      const { folderId } = input.header;
      const file = Buffer.concat([Buffer.alloc(position, 0xee), sealed(input, position), Buffer.alloc(700, 0xee)]);
      const header = readFrame(file, position, folderId);
      expect(header).toEqual({
        ...input.header,
        length: input.frame.length,
        entryCount: input.entries.length,
        position,
      });
      if (header !== undefined) expect([...frameEntries(file, header)]).toEqual(input.entries);
      expect(readFrame(file, position, folderId + 1)).toBeUndefined();
      expect(readFrame(file.subarray(0, position + input.frame.length - 1), position, folderId)).toBeUndefined();
      expect(readFrame(Buffer.concat([Buffer.alloc(512), file]), position + 512, folderId)).toBeUndefined();
    }),
    { seed: 1, numRuns: 200 },
  );
});

test('a frame with any changed byte is none', () => {
  fc.assert(
    fc.property(framed, fc.nat(), fc.integer({ min: 1, max: 255 }), (input, where, xor) => {
      const frame = sealed(input, 0);
      const at = where % frame.length;
      frame[at] = (frame[at] as number) ^ xor;
      expect(readFrame(frame, 0, input.header.folderId)).toBeUndefined();
    }),
    { seed: 1, numRuns: 300 },
  );
});

test('the frame reader survives any bytes behind its magic', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(readFrame(Buffer.concat([Buffer.from('MRJF'), bytes]), 0, 0)).toBeUndefined();
    }),
    { seed: 1 },
  );
});

interface Blocked {
  readonly block: Buffer;
  readonly ref: BlockRef;
}

const place = { group: 3, segment: 9, folderId: 123_456_789_012 };

function blockOf(shard: number, baseOffset: number, position: number, content: Uint8Array, times = [1, 2]): Blocked {
  const block = Buffer.concat([Buffer.alloc(blockHeaderBytes), content]);
  const [firstTimeMs, lastTimeMs] = times as [number, number];
  const ref = { shard, baseOffset, endOffset: baseOffset + 2, firstTimeMs, lastTimeMs, position, bytes: block.length };
  sealBlock(block, 0, ref, place);
  return { block, ref };
}

test('a block header reads back in its place only, and a block with any changed byte is not sound', () => {
  fc.assert(
    fc.property(
      number32,
      fc.maxSafeNat(),
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (shard, base, content, where, xor) => {
        const baseOffset = Math.min(base, 2 ** 53 - 10);
        const { block, ref } = blockOf(shard, baseOffset, 77, content);
        expect(readBlockHeader(block, 77, place)).toEqual(ref);
        expect(isBlockSound(block)).toBe(true);
        expect(readBlockHeader(block, 78, place)).toBeUndefined();
        for (const key of ['group', 'segment', 'folderId'] as const) {
          expect(readBlockHeader(block, 77, { ...place, [key]: place[key] + 1 })).toBeUndefined();
        }
        const at = where % block.length;
        block[at] = (block[at] as number) ^ xor;
        const header = readBlockHeader(block, 77, place);
        // The magic is looked at with the header.
        expect(header !== undefined && isBlockSound(block)).toBe(false);
        // Whatever changed, a header never tells of another block.
        if (header !== undefined) expect(header).toEqual(ref);
      },
    ),
    { seed: 1, numRuns: 300 },
  );
});

const segments = fc.array(fc.record({ shard: fc.nat(4), content: fc.uint8Array({ maxLength: 60 }), step: fc.nat(3) }), {
  maxLength: 40,
});

function layOut(input: ReadonlyArray<{ shard: number; content: Uint8Array; step: number }>): {
  bytes: Buffer;
  refs: BlockRef[];
} {
  const ends = new Map<number, number>();
  const blocks: Blocked[] = [];
  let position = 0;
  let timeMs = 0;
  for (const { shard, content, step } of input) {
    const baseOffset = ends.get(shard) ?? 100;
    timeMs += step;
    const made = blockOf(shard, baseOffset, position, content, [timeMs, timeMs + 1]);
    ends.set(shard, made.ref.endOffset);
    position += made.block.length;
    blocks.push(made);
  }
  return { bytes: Buffer.concat(blocks.map((each) => each.block)), refs: blocks.map((each) => each.ref) };
}

test('an index finds the blocks, reads back from its file, and is made again from the segment', async () => {
  await fc.assert(
    fc.asyncProperty(segments, async (input) => {
      const { bytes, refs } = layOut(input);
      const before = new Map([[99, 5]]);
      const index = new SegmentIndex(before);
      for (const ref of refs) index.add(ref);
      const decoded = decodeIndex(encodeIndex(index)) as SegmentIndex;
      const disk = new SimDisk(1);
      const file = await disk.open('segment', { create: true });
      await file.write(Buffer.concat([bytes, Buffer.from('not of this segment any more')]), 0);
      const damage: number[] = [];
      const scanned = await scanSegment(file, bytes.length, { ...place, endsBefore: before }, (position) =>
        damage.push(position),
      );
      expect(damage).toEqual([]);
      for (const each of [index, decoded, scanned]) {
        expect(each.blockCount).toBe(refs.length);
        expect(each.ends.get(99)).toBe(5);
        for (let shard = 0; shard < 5; shard++) {
          const mine = refs.filter((ref) => ref.shard === shard);
          expect(each.ends.get(shard)).toBe(mine.at(-1)?.endOffset);
          for (const offset of [0, 100, 101, 102, 107, 120, 1000]) {
            expect(each.atOffset(shard, offset)).toEqual(mine.find((ref) => ref.endOffset > offset));
          }
          for (const timeMs of [0, 1, 2, 5, 10, 30, 1000]) {
            expect(each.atTime(shard, timeMs)).toEqual(mine.find((ref) => ref.lastTimeMs >= timeMs));
          }
        }
      }
    }),
    { seed: 1, numRuns: 60 },
  );
});

test('a scan finds every block but the damaged one', async () => {
  await fc.assert(
    fc.asyncProperty(segments, fc.nat(), fc.integer({ min: 1, max: 255 }), async (input, where, xor) => {
      const { bytes, refs } = layOut(input);
      if (bytes.length === 0) return;
      const at = where % bytes.length;
      bytes[at] = (bytes[at] as number) ^ xor;
      const disk = new SimDisk(1);
      const file = await disk.open('segment', { create: true });
      await file.write(bytes, 0);
      const scanned = await scanSegment(file, bytes.length, { ...place, endsBefore: new Map() }, () => undefined);
      const found = [...scanned.blocks()].map((ref) => ref.position);
      const sound = refs.filter((ref) => at < ref.position || at >= ref.position + ref.bytes);
      expect(found).toEqual(expect.arrayContaining(sound.map((ref) => ref.position)));
      for (const ref of scanned.blocks()) expect(refs).toContainEqual(ref);
    }),
    { seed: 1, numRuns: 150 },
  );
});

test('an index file with any changed byte, or cut short, is none', () => {
  fc.assert(
    fc.property(segments, fc.nat(), fc.integer({ min: 1, max: 255 }), (input, where, xor) => {
      const index = new SegmentIndex(new Map());
      for (const ref of layOut(input).refs) index.add(ref);
      const bytes = encodeIndex(index);
      const at = where % bytes.length;
      expect(decodeIndex(bytes.subarray(0, at))).toBeUndefined();
      bytes[at] = (bytes[at] as number) ^ xor;
      expect(decodeIndex(bytes)).toBeUndefined();
    }),
    { seed: 1 },
  );
});
