/* oxlint-disable max-lines-per-function -- functions that only group tests, as in a test file */
import { afterEach, describe, expect, test } from 'vitest';
import type { ShardLogId } from '../../platform/src/log/engine.ts';
import { LogReadOnlyError, OutcomeUnknownError, ShardLogAbsentError } from '../../platform/src/log/errors.ts';
import { expectKept, Subject, type ContractFactory, type Sent } from './log-contract-subject.ts';
import { SeededRandom } from './seeded-random.ts';
import { tick } from './sim-clock.ts';
import { nameOf, readAll, readShard, type NamedBatch } from './test-batches.ts';
import { propose } from './test-machine.ts';

const one = { group: 1, shard: 0 };

/** Registers the tests that every engine must pass. */
export function describeLogContract(name: string, factory: ContractFactory): void {
  describe(`the log contract, ${name}`, () => {
    let subject: Subject | undefined;
    const open = async (): Promise<Subject> => (subject = await Subject.open(factory));
    afterEach(async () => {
      await subject?.close();
      subject = undefined;
    });
    describeAppends(open);
    describeOrder(open);
    describeReads(open);
    describeTimes(open);
    describeEnds(open);
  });
}

type Open = () => Promise<Subject>;

function describeAppends(open: Open): void {
  test('offsets are dense in each shard, and order within and across calls is the order of the calls', async () => {
    const subject = await open();
    const ids = await subject.provision(1, 3);
    const random = new SeededRandom(1);
    const sent: Sent[] = [];
    for (let wave = 0; wave < 25; wave++) {
      const calls = Array.from({ length: random.between(1, 8) }, () => {
        const batches = Array.from({ length: random.between(1, 4) }, () =>
          subject.batch(random.pick(ids), { records: random.between(1, 5), valueBytes: random.below(120) }),
        );
        sent.push(...batches);
        return subject.append(...batches);
      });
      if (random.chance(0.5)) await Promise.all(calls);
      else await calls[0];
    }
    await subject.store(one).then((last) => sent.push({ ...subject.batch(one), name: last.name }));
    for (const id of ids) await expectKept(subject, id, sent);
  });

  test('what is acknowledged is readable at once', async () => {
    const subject = await open();
    await subject.provision();
    for (let i = 0; i < 60; i++) {
      const stored = await subject.store(one, { records: 1 + (i % 3), valueBytes: i * 5 });
      expect(subject.log.endOffset(one)).toBeGreaterThanOrEqual(stored.baseOffset + stored.recordCount);
      const page = await subject.log.read(one, stored.baseOffset, { ...readAll, recordsMax: 1 });
      expect(page).toMatchObject({ startOffset: stored.baseOffset });
      expect(page.batches.map(nameOf)).toEqual([stored]);
    }
  });

  test('nothing is visible before it is durable', async ({ skip }) => {
    const subject = await open();
    if (subject.hold === undefined) return skip();
    await subject.provision();
    const before = await subject.store(one);
    const end = before.baseOffset + before.recordCount;
    const release = subject.hold();
    const sent = Array.from({ length: 4 }, () => subject.batch(one));
    const calls = sent.map((each) => subject.append(each));
    for (let i = 0; i < 30; i++) await tick();
    expect(sent.some((each) => each.outcome?.kind === 'stored')).toBe(false);
    expect(subject.log.endOffset(one)).toBe(end);
    expect((await subject.log.read(one, 0, readAll)).endOffset).toBe(end);
    expect(await subject.log.offsetAt(one, subject.clock.now() + 1)).toBe(end);
    release();
    await Promise.all(calls);
    await expectKept(subject, one, [
      { ...subject.batch(one), name: before.name },
      ...(await earlier(subject, before)),
      ...sent,
    ]);
  });

  test('an append of nothing answers nothing', async () => {
    const { log } = await open();
    expect(await log.append([])).toEqual([]);
  });

  test('one append may hold entries that are stored beside some that are rejected', async () => {
    const subject = await open();
    await subject.provision(1, 2);
    const all: Sent[] = [];
    for (let i = 0; i < 10; i++) {
      const sent = [subject.batch(one), subject.batch({ group: 1, shard: 9 }), subject.batch({ group: 1, shard: 1 })];
      all.push(...sent);
      await subject.append(...sent);
      expect(sent[1]?.outcome?.kind).not.toBe('stored');
    }
    expect(all.filter((each) => each.outcome?.kind === 'stored').length).toBeGreaterThan(0);
    await expectKept(subject, one, all);
    await expectKept(subject, { group: 1, shard: 1 }, all);
  });
}

/** Batches that {@link Subject.store} tried before `last`, as far as they are there. */
async function earlier(subject: Subject, last: NamedBatch): Promise<Sent[]> {
  const found = await readShard(subject.log, one);
  return found.filter((each) => each.baseOffset < last.baseOffset).map(({ name }) => ({ ...subject.batch(one), name }));
}

function describeOrder(open: Open): void {
  test('commands are applied in the order of their calls and answered with what apply returned', async () => {
    const subject = await open();
    const calls = Array.from({ length: 30 }, (_, i) =>
      propose(subject.log, { id: 100 + i, kind: 'provision', group: 1 + (i % 3), shard: i }).catch(
        (error: unknown) => error,
      ),
    );
    const results = await Promise.all(calls);
    results.forEach((result, i) => {
      if (result instanceof Error) expect(result).toBeInstanceOf(OutcomeUnknownError);
      else expect(result).toEqual({ id: 100 + i });
    });
    const { applied } = subject.machine;
    expect([...applied]).toEqual([...applied].sort((a, b) => a - b));
  });

  test('what is appended after the close of its shard was proposed is never stored, and what came before lies before the end', async () => {
    for (let round = 0; round < 8; round++) {
      const subject = await open();
      await subject.provision(1, 2);
      const sent: Sent[] = [];
      const send = (): Promise<void> => {
        const batch = subject.batch(one, { records: 2 });
        sent.push(batch);
        return subject.append(batch);
      };
      const before = [send(), send()];
      if (round % 2 === 0) await before[0];
      const closing = propose(subject.log, { id: 9, kind: 'close', ...one }).catch((error: unknown) => error as Error);
      const after = [send(), send()];
      const other = subject.store({ group: 1, shard: 1 });
      const closed = await closing;
      const late = send();
      await Promise.all([...before, ...after, late, other]);
      if (!(closed instanceof Error)) {
        for (const each of sent.slice(2)) expect(each.outcome?.kind).not.toBe('stored');
        expect(subject.log.endOffset(one)).toBe(closed.endOffset);
        const found = await expectKept(subject, one, sent);
        for (const each of sent.slice(2)) expect(found.map((batch) => batch.name)).not.toContain(each.name);
      }
      await subject.close();
    }
  });

  test('a batch for a shard that was closed is rejected and absent; its records stay readable', async () => {
    const subject = await open();
    await subject.provision();
    const stored = await subject.store(one, { records: 3 });
    const { endOffset } = await subject.command({ kind: 'close', ...one });
    const sent = subject.batch(one);
    await subject.append(sent);
    expect(sent.outcome?.kind).not.toBe('stored');
    expect(await readShard(subject.log, one)).toContainEqual(stored);
    expect(subject.log.endOffset(one)).toBe(endOffset);
  });

  test('after a group was dropped its shards are absent, for appends under way too', async () => {
    const subject = await open();
    await subject.provision(1, 2);
    await subject.provision(2);
    await subject.store(one, { records: 3, valueBytes: 900 });
    const kept = await subject.store({ group: 2, shard: 0 });
    const dropping = subject.command({ kind: 'drop', group: 1 });
    const sent = [subject.batch(one), subject.batch({ group: 1, shard: 1 })];
    const [, first] = await Promise.all([subject.append(...sent), dropping]);
    expect(first.id).toBeGreaterThan(0);
    const later = subject.batch(one);
    await subject.append(later);
    expect(later.outcome?.kind).not.toBe('stored');
    expect(subject.log.endOffset(one)).toBeUndefined();
    await expect(subject.log.read(one, 0, readAll)).rejects.toThrow(ShardLogAbsentError);
    await expect(subject.log.offsetAt(one, 0)).rejects.toThrow(ShardLogAbsentError);
    expect(await readShard(subject.log, { group: 2, shard: 0 })).toContainEqual(kept);
  });

  test('a shard log that was never provisioned is absent', async () => {
    const subject = await open();
    const sent = subject.batch({ group: 5, shard: 5 });
    await subject.append(sent);
    expect(sent.outcome?.kind).not.toBe('stored');
    expect(subject.log.endOffset(sent.id)).toBeUndefined();
    await expect(subject.log.read(sent.id, 0, readAll)).rejects.toThrow(ShardLogAbsentError);
  });
}

function describeReads(open: Open): void {
  test('reads stop at their limits, and give at least one batch if there is one', async () => {
    const subject = await open();
    await subject.provision();
    for (let i = 0; i < 20; i++) await subject.store(one, { records: 3, valueBytes: 60 });
    const all = await readShard(subject.log, one);
    for (const { baseOffset } of all) {
      const least = await subject.log.read(one, baseOffset, { ...readAll, bytesMax: 1 });
      expect(least.batches.map(nameOf)).toMatchObject([{ baseOffset }]);
      const { batches } = await subject.log.read(one, baseOffset, { ...readAll, recordsMax: 7 });
      const counts = batches.map((batch) => batch.recordCount);
      expect(
        counts.slice(0, -1).reduce((sum, count) => sum + count, 0),
        'the batch before reached it',
      ).toBeLessThan(7);
      const some = await subject.log.read(one, baseOffset, { ...readAll, bytesMax: 700 });
      const bytes = some.batches.map((batch) => batch.bytes.length);
      expect(
        bytes.slice(0, -1).reduce((sum, count) => sum + count, 0),
        'the batch before reached it',
      ).toBeLessThan(700);
    }
  });

  test('a read from the middle of a batch gives the batch and says where to begin in it', async () => {
    const subject = await open();
    await subject.provision();
    for (let i = 0; i < 12; i++) await subject.store(one, { records: 5, valueBytes: 40 });
    for (const { baseOffset, recordCount } of await readShard(subject.log, one)) {
      for (let offset = baseOffset; offset < baseOffset + recordCount; offset++) {
        const page = await subject.log.read(one, offset, { ...readAll, recordsMax: 1 });
        expect(page.startOffset).toBe(offset);
        expect(page.batches.map(nameOf)).toMatchObject([{ baseOffset, recordCount }]);
      }
    }
  });

  test('a read at the end gives nothing, and says where the end is', async () => {
    const subject = await open();
    await subject.provision();
    expect(await subject.log.read(one, 0, readAll)).toEqual({ batches: [], startOffset: 0, endOffset: 0 });
    await subject.store(one, { records: 4 });
    const end = subject.log.endOffset(one) as number;
    expect(await subject.log.read(one, end, readAll)).toEqual({ batches: [], startOffset: end, endOffset: end });
  });

  test('many shards read right at head, middle and end while others are written', async () => {
    const subject = await open();
    const ids = [...(await subject.provision(1, 20)), ...(await subject.provision(2, 5))];
    const random = new SeededRandom(3);
    const model = new Map<ShardLogId, NamedBatch[]>(ids.map((id) => [id, []]));
    const readOne = async (id: ShardLogId): Promise<void> => {
      const known = [...(model.get(id) as NamedBatch[])];
      const from = random.below((known.at(-1)?.baseOffset ?? 0) + 2);
      const page = await subject.log.read(id, from, { ...readAll, bytesMax: random.pick([1, 400, 5000]) });
      const found = page.batches.map(nameOf);
      const last = found.at(-1);
      const expected = known.filter(
        (each) => each.baseOffset + each.recordCount > from && each.baseOffset <= (last?.baseOffset ?? -1),
      );
      expect(found).toEqual(expect.arrayContaining(expected));
      if (known.some((each) => each.baseOffset + each.recordCount > from)) expect(page.startOffset).toBe(from);
    };
    for (let step = 0; step < 400; step++) {
      const id = random.pick(ids);
      const work = [readOne(random.pick(ids))];
      if (random.chance(0.8)) {
        const options = { records: random.between(1, 4), valueBytes: random.below(200) };
        work.push(subject.store(id, options).then((stored) => void model.get(id)?.push(stored)));
      }
      await Promise.all(work);
      if (random.chance(0.1)) subject.clock.advance(700);
    }
    for (const id of ids) {
      expect(await readShard(subject.log, id, { bytesMax: 1000 })).toEqual(
        expect.arrayContaining(model.get(id) as NamedBatch[]),
      );
    }
  });
}

function describeTimes(open: Open): void {
  test('arrival times never go back, even when the clock does', async () => {
    const subject = await open();
    await subject.provision();
    const random = new SeededRandom(5);
    for (let i = 0; i < 60; i++) {
      if (random.chance(0.5)) subject.clock.advance(random.below(1000));
      if (random.chance(0.2)) subject.clock.set(subject.clock.now() - random.below(10_000));
      await subject.store(one);
    }
    const times = (await readShard(subject.log, one)).map((each) => each.timeMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  test('who watches a shard is told of its records and of its end, and of no other shard', async () => {
    const subject = await open();
    await subject.provision(1, 2);
    const seen: number[] = [];
    const other: number[] = [];
    const stop = subject.log.watch(one, () => seen.push(subject.log.endOffset(one) ?? -1));
    subject.log.watch({ group: 1, shard: 1 }, () => other.push(1));
    await subject.store(one);
    const afterOne = seen.length;
    expect(afterOne).toBeGreaterThan(0);
    expect(seen.at(-1)).toBe(subject.log.endOffset(one));
    await subject.store(one, { records: 3 });
    expect(seen.at(-1)).toBe(subject.log.endOffset(one));
    expect(other).toEqual([]);
    await subject.command({ kind: 'drop', group: 1 });
    expect(seen.at(-1)).toBe(-1);
    const count = seen.length;
    stop();
    expect(seen).toHaveLength(count);
    expect(other.length).toBeGreaterThan(0);
    // Nobody is there to be told.
    subject.log.watch({ group: 9, shard: 9 }, () => seen.push(9))();
  });

  test('offsetAt is exact at every boundary, and monotone', async () => {
    const subject = await open();
    await subject.provision(1, 2);
    for (let i = 0; i < 40; i++) {
      if (i % 3 !== 0) subject.clock.advance(10);
      await subject.store(one, { records: 1 + (i % 2), valueBytes: 60 });
      if (i % 7 === 0) await subject.store({ group: 1, shard: 1 }, { valueBytes: 60 });
    }
    for (const shard of [0, 1]) {
      const id = { group: 1, shard };
      const all = await readShard(subject.log, id);
      const end = subject.log.endOffset(id) as number;
      let last = 0;
      const times = [0, ...all.flatMap((each) => [each.timeMs - 1, each.timeMs, each.timeMs + 1]), 1e14];
      for (const timeMs of times.sort((a, b) => a - b)) {
        const offset = await subject.log.offsetAt(id, timeMs);
        expect(offset).toBe(all.find((each) => each.timeMs >= timeMs)?.baseOffset ?? end);
        expect(offset).toBeGreaterThanOrEqual(last);
        last = offset;
      }
    }
  });

  test('offsetAt finds what is on its way from memory to a file', async () => {
    const subject = await open();
    await subject.provision();
    for (let i = 0; i < 60; i++) {
      subject.clock.advance(5);
      const stored = await subject.store(one, { valueBytes: 300 });
      const asked = subject.log.offsetAt(one, stored.timeMs);
      const more = subject.store(one, { valueBytes: 300 });
      expect(await asked).toBeLessThanOrEqual(stored.baseOffset);
      await more;
    }
  });

  test('records older than asked for are passed over', async () => {
    const subject = await open();
    await subject.provision();
    for (let i = 0; i < 30; i++) {
      subject.clock.advance(10);
      await subject.store(one, { valueBytes: 80 });
    }
    const all = await readShard(subject.log, one);
    const end = subject.log.endOffset(one) as number;
    for (const notBeforeMs of [0, (all[7] as NamedBatch).timeMs, (all[20] as NamedBatch).timeMs + 1, 1e14]) {
      const page = await subject.log.read(one, 2, { ...readAll, notBeforeMs });
      const expected = all.filter((each) => each.baseOffset + each.recordCount > 2 && each.timeMs >= notBeforeMs);
      expect(page.batches.map(nameOf)).toEqual(expected);
      expect(page.startOffset).toBe(expected.length === 0 ? end : Math.max(2, (expected[0] as NamedBatch).baseOffset));
    }
  });

  test('what was trimmed is never read again, what was not stays; a smaller trim revives nothing', async () => {
    const subject = await open();
    const ids = await subject.provision(1, 2);
    let trimMs = 0;
    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 6; i++) {
        subject.clock.advance(50);
        await subject.store(ids[round % 2] as ShardLogId, { valueBytes: 200 });
      }
      const before = await Promise.all(ids.map((id) => readShard(subject.log, id)));
      trimMs = Math.max(trimMs, subject.clock.now() - 400);
      const reading = subject.log.read(one, 0, readAll);
      await subject.command({ kind: 'trim', group: 1, timeMs: round % 3 === 2 ? trimMs - 5000 : trimMs });
      if (round % 3 === 2) trimMs = subject.machine.trimMs(1);
      await reading;
      for (let turn = 0; turn < 5; turn++) await tick();
      for (const [i, id] of ids.entries()) {
        const after = await readShard(subject.log, id);
        expect(after).toEqual(before[i]?.filter((each) => each.timeMs >= trimMs));
        expect(await subject.log.offsetAt(id, 0)).toBe(after[0]?.baseOffset ?? subject.log.endOffset(id));
      }
    }
  });
}

function describeEnds(open: Open): void {
  test('after close nothing is taken, what came before was answered, and closing again does nothing', async () => {
    const subject = await open();
    await subject.provision();
    const sent = Array.from({ length: 10 }, () => subject.batch(one));
    const calls = Promise.all(sent.map((each) => subject.append(each)));
    const closing = subject.log.close();
    const late = subject.batch(one);
    await subject.append(late);
    expect(late.outcome?.kind).toBe('rejected');
    await expect(propose(subject.log, { id: 99, kind: 'drop', group: 1 })).rejects.toThrow(LogReadOnlyError);
    await calls;
    await closing;
    await subject.log.close();
    for (const each of sent) expect(each.outcome).toBeDefined();
  });
}
