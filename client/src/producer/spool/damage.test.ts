import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { SpoolVersionError } from './errors.ts';
import {
  frameKind,
  framesOf,
  parseSegmentName,
  segmentHeader,
  segmentHeaderBytes,
  segmentName,
  type FrameKind,
} from './format.ts';
import { FrameWriter } from './frame-writer.ts';
import { appendMany, drain, openOn, recordOf, recoveredFrom } from './testing/harness.ts';
import { TestDisk } from './testing/test-disk.ts';

interface Place {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

interface Opened {
  readonly numbers: readonly number[];
  readonly damage: readonly string[];
  readonly disk: TestDisk;
}

const bytesOf = (disk: TestDisk, name: string): Buffer => disk.files.get(name)?.bytes ?? Buffer.alloc(0);

function copyWith(disk: TestDisk, name: string, bytes: Uint8Array): TestDisk {
  const copy = new TestDisk();
  for (const [each, file] of disk.files) copy.put(each, each === name ? bytes : file.bytes);
  return copy;
}

/** Opens, and sees to it that nothing is given that was never put. */
async function open(disk: TestDisk): Promise<Opened> {
  const damage: string[] = [];
  const spool = await openOn(disk, { onDamage: (text) => damage.push(text) });
  const found = await recoveredFrom(spool);
  const made = [...found].filter(([number, { partitionKey, explicitHashKey, data }]) => {
    const right = recordOf(number);
    return (
      partitionKey !== right.partitionKey || explicitHashKey !== undefined || Buffer.compare(data, right.data) !== 0
    );
  });
  expect(made).toEqual([]);
  const numbers = [...found.keys()];
  const next = await spool.append(recordOf('next'));
  expect(next).toBeGreaterThan(numbers.at(-1) ?? -1);
  spool.settle(next);
  await spool.close();
  return { numbers, damage, disk };
}

/** Where the frames of the records with these numbers are. */
function framesIn(disk: TestDisk): Map<number, Place> {
  const places = new Map<number, Place>();
  for (const name of disk.names()) {
    for (const frame of framesOf(bytesOf(disk, name), parseSegmentName(name)?.salt ?? 0)) {
      if (!frame.isSound || frame.kind !== frameKind.records) continue;
      for (let i = 0; i < frame.count; i++) places.set(frame.first + i, { name, from: frame.from, to: frame.to });
    }
  }
  return places;
}

function begun(frames: FrameWriter, first: number, kind: FrameKind = frameKind.records): FrameWriter {
  frames.begin(kind, first);
  return frames;
}

let disk = new TestDisk();
let newest = '';
/** Length of the newest segment, and what had been accepted by then. */
const accepted: Array<{ length: number; count: number }> = [];
const unsettled: number[] = [];
let places = new Map<number, Place>();

beforeAll(async () => {
  const spool = await openOn(disk, { segmentBytesMax: 600 });
  let count = 0;
  let length = 0;
  for (let i = 0; disk.files.size < 3 || length < 350; i++) {
    count += (await appendMany(spool, count, 1 + (i % 3))).length;
    for (let number = 1; number < count; number += 3) spool.settle(number);
    newest = disk.names().at(-1) as string;
    ({ length } = bytesOf(disk, newest));
    accepted.push({ length: disk.files.size === 3 ? length : 0, count });
  }
  disk.passTime();
  await drain();
  disk = disk.kill();
  places = framesIn(disk);
  const { numbers, damage } = await open(disk.copy());
  expect(damage).toEqual([]);
  unsettled.push(...numbers);
  expect(unsettled.length).toBeGreaterThan(8);
  expect(unsettled.length).toBeLessThan(count);
});

describe('of a newest segment that is cut', () => {
  it('at any length, all is there that was accepted by then, and only what was not whole is cut off', async () => {
    const bytes = bytesOf(disk, newest);
    const ends = new Set([
      0,
      segmentHeaderBytes,
      ...[...framesOf(bytes, parseSegmentName(newest)?.salt ?? 0)].map(({ to }) => to),
    ]);
    for (let length = 0; length <= bytes.length; length++) {
      const opened = await open(copyWith(disk, newest, bytes.subarray(0, length)));
      const count = accepted.findLast((each) => each.length <= length)?.count ?? 0;
      expect(opened.numbers).toEqual(expect.arrayContaining(unsettled.filter((number) => number < count)));
      expect(opened.damage).toHaveLength(ends.has(length) ? 0 : 1);
      // It was cut off for good.
      expect((await open(opened.disk.copy())).damage).toEqual([]);
    }
  });

  it('at any length, with zeros or anything else in place of what is gone', async () => {
    const bytes = bytesOf(disk, newest);
    for (let length = 0; length < bytes.length; length++) {
      for (const value of [0, 0x4d]) {
        const { numbers } = await open(copyWith(disk, newest, Buffer.from(bytes).fill(value, length)));
        const count = accepted.findLast((each) => each.length <= length)?.count ?? 0;
        expect(numbers).toEqual(expect.arrayContaining(unsettled.filter((number) => number < count)));
      }
    }
  });
});

describe('of a byte that is wrong', () => {
  it('anywhere, no more is lost than its frame, and it is told', async () => {
    for (const name of disk.names()) {
      const bytes = bytesOf(disk, name);
      for (let at = 0; at < bytes.length; at++) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ (1 << (at % 8));
        const { numbers, damage } = await open(copyWith(disk, name, changed));
        const safe = unsettled.filter((number) => {
          const place = places.get(number);
          return place?.name !== name || at < place.from || at >= place.to;
        });
        expect(numbers).toEqual(expect.arrayContaining(safe));
        expect(damage).toEqual([expect.stringContaining(name)]);
      }
    }
  });

  it('with bytes put in or taken out, segments missing or mixed up, nothing throws', async () => {
    const change = fc.record({ at: fc.nat(600), taken: fc.nat(80), put: fc.uint8Array({ maxLength: 80 }) });
    const files = fc.array(fc.record({ from: fc.nat(2), to: fc.nat(2), change }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(files, async (list) => {
        const names = disk.names();
        const copy = disk.copy();
        for (const {
          from,
          to,
          change: { at, taken, put },
        } of list) {
          const bytes = bytesOf(disk, names[from] as string);
          copy.put(names[to] as string, Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + taken)]));
        }
        await open(copy);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a segment', () => {
  it('whose data are those of a spool gives none of the records in them', async () => {
    // The frames that begin behind the record's header are where they were.
    const inner = bytesOf(disk, newest).subarray(2 * segmentHeaderBytes + 9);
    const outer = new TestDisk();
    const spool = await openOn(outer, { segmentBytesMax: 2000 });
    const record = { partitionKey: 'outer', data: Buffer.concat([inner, inner]) };
    await spool.append(record);
    await spool.append(record);
    const [name] = outer.names() as [string];
    const bytes = Buffer.from(bytesOf(outer, name));
    bytes[segmentHeaderBytes + 13] = 7;
    const damage: string[] = [];
    const again = await openOn(copyWith(outer, name, bytes), { onDamage: (text) => damage.push(text) });
    const found = await recoveredFrom(again);
    expect([...found]).toEqual([[1, { explicitHashKey: undefined, ...record }]]);
    expect(damage).toHaveLength(1);
  });

  it('that is there twice gives its records once', async () => {
    const copy = disk.copy();
    const [name] = copy.names() as [string];
    copy.put(segmentName(99, parseSegmentName(name)?.salt ?? 0).name, bytesOf(copy, name));
    expect((await open(copy)).numbers).toEqual(unsettled);
  });

  it.each<[string, (frames: FrameWriter) => void]>([
    ['a number from nowhere', (frames) => begun(frames, 2 ** 50).record(recordOf(1))],
    ['a number that is used', (frames) => begun(frames, 1).record(recordOf(1))],
    ['fewer records than it says', (frames) => (begun(frames, 2).count = 1)],
    ['more records than it says', (frames) => (begun(frames, 2).record(recordOf(2)), (frames.count = 0))],
    ['half a record', (frames) => (begun(frames, 2).range(3, 9), (frames.count = 1))],
    ['half a range', (frames) => (begun(frames, 0, frameKind.settled).range(0, 1), (frames.count = 2))],
    ['more ranges than it says', (frames) => (begun(frames, 0, frameKind.settled).range(0, 1), (frames.count = 0))],
    ['another kind', (frames) => begun(frames, 2, 3 as FrameKind).record(recordOf(2))],
  ])('whose checksums are right does no harm with %s', async (_name, write) => {
    const frames = new FrameWriter();
    begun(frames, 0).record(recordOf(0));
    frames.record(recordOf(1));
    write(frames);
    begun(frames, 2).record(recordOf(2));
    const name = segmentName(1, 77);
    const made = new TestDisk();
    const bytes = frames.seal({ position: segmentHeaderBytes, salt: name.salt });
    made.put(name.name, Buffer.concat([segmentHeader(name, 0), bytes]));
    const { numbers, damage } = await open(made);
    expect(numbers).toEqual([0, 1, 2]);
    expect(damage).toHaveLength(1);
  });

  it('without some of its records still counts those that are there, and uses no number again', async () => {
    const made = new TestDisk();
    const spool = await openOn(made);
    for (const i of [0, 2, 4]) await appendMany(spool, i, 2);
    spool.settle(5);
    made.passTime();
    await drain();
    const [name] = made.names() as [string];
    for (const [at, left, lost] of [
      [2, [0, 1, 4], 2],
      [4, [0, 1, 2, 3], 4],
    ] as const) {
      const bytes = Buffer.from(bytesOf(made, name));
      bytes.fill(0, framesIn(made).get(at)?.from, framesIn(made).get(at)?.to);
      const damaged = copyWith(made, name, bytes);
      const again = await openOn(damaged);
      expect([...(await recoveredFrom(again)).keys()]).toEqual(left);
      again.settle(lost);
      for (const number of left.slice(1)) again.settle(number);
      expect(await again.append(recordOf(6))).toBe(6);
      await drain();
      expect((await open(damaged.kill())).numbers).toEqual([0, 6]);
    }
  });

  it('of a later format is left as it is', async () => {
    const name = segmentName(7, 0xabcdef);
    const header = segmentHeader(name, 12, 2);
    const later = copyWith(disk, '', Buffer.alloc(0));
    later.put(name.name, header);
    const opened = openOn(later);
    await expect(opened).rejects.toThrow(SpoolVersionError);
    await expect(opened).rejects.toMatchObject({ code: 'MR_SPOOL_VERSION', isRetryable: false });
    expect(later.counts.get('cut') ?? later.counts.get('remove')).toBeUndefined();
    expect(later.isLocked).toBe(false);
  });
});
