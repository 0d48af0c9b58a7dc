import { expect, test } from 'vitest';
import { tick, until } from '../../testing/src/sim-clock.ts';
import { SimDisk } from '../../testing/src/sim-disk.ts';
import { caller, startStreams, type StreamsHarness } from '../../testing/src/streams-harness.ts';

/** What callers of the API hear of a disk that fails; `log/faults.test.ts` has the engine's side. */
const engine = { fileBytes: 2 ** 20, firstFileBytes: 2 ** 20, flushBytes: 64 * 1024, reserveBytes: 256 * 1024 };
const hourMs = 3_600_000;
const record = (text: string) => ({ StreamName: 's', Data: Buffer.from(text), PartitionKey: 'k' });

async function textsOf({ streams }: StreamsHarness): Promise<string[]> {
  const at = { StreamName: 's', ShardId: '0', ShardIteratorType: 'TRIM_HORIZON' } as const;
  const { ShardIterator = '' } = await streams.getShardIterator(at, caller);
  const { Records } = await streams.getRecords({ ShardIterator }, caller);
  return Records.map(({ Data }) => Buffer.from(Data).toString()).filter((text) => !text.startsWith('\0'));
}

test.each([
  ['write', 'EIO on write'],
  ['sync', 'EIO on fsync'],
] as const)(
  '%s: %s answers InternalFailure, then the server is read-only until a restart',
  async (operation, _name) => {
    const disk = new SimDisk(1);
    const harness = await startStreams({ disk, engine, durability: 'fsync' });
    await harness.streams.createStream({ StreamName: 's', ShardCount: 1 }, caller);
    await harness.streams.putRecord(record('kept'), caller);
    disk.fail({ operation, path: /^journal/ });
    await expect(harness.streams.putRecord(record('unknown'), caller)).rejects.toMatchObject({
      status: 500,
      message: expect.stringContaining('it may or may not have been') as string,
    });
    disk.heal();
    const later = harness.streams.putRecord(record('refused'), caller);
    await expect(later).rejects.toMatchObject({
      status: 500,
      message: expect.stringContaining('needs a restart') as string,
    });
    const { FailedRecordCount, Records } = await harness.streams.putRecords(
      { StreamName: 's', Records: [record('refused')] },
      caller,
    );
    expect(FailedRecordCount).toBe(1);
    expect(Records[0]).toMatchObject({ ErrorCode: 'InternalFailure' });
    await expect(harness.streams.deleteStream({ StreamName: 's' }, caller)).rejects.toMatchObject({ status: 500 });
    expect(harness.log.status()).toMatchObject({ state: 'read-only' });
    expect(await textsOf(harness)).toEqual(['kept']);
    await harness.close();
    const again = await startStreams({ disk: disk.powerCut(), engine, durability: 'fsync' });
    const texts = await textsOf(again);
    expect(texts[0]).toBe('kept');
    expect(texts.every((text) => text === 'kept' || text === 'unknown')).toBe(true);
    await again.streams.putRecord(record('new'), caller);
    await again.close();
  },
);

test('ENOSPC: puts are refused naming the disk, reads and DeleteStream go on, and puts resume without a restart', async () => {
  const disk = new SimDisk(2, { capacityBytes: 6 * 2 ** 20 });
  const harness = await startStreams({ disk, engine, durability: 'fsync' });
  const { streams, clock } = harness;
  for (const StreamName of ['s', 'filler']) await streams.createStream({ StreamName, ShardCount: 1 }, caller);
  await streams.putRecord(record('kept'), caller);
  const filler = { StreamName: 'filler', Data: Buffer.alloc(100_000), PartitionKey: 'k' };
  let refusal: { status?: number; message?: string } = {};
  for (let i = 0; i < 200 && refusal.status === undefined; i++) {
    await streams.putRecord(filler, caller).catch((error: unknown) => (refusal = error as typeof refusal));
  }
  expect(refusal).toMatchObject({
    status: 500,
    message: expect.stringContaining('The disk of the data folder is full') as string,
  });
  expect(harness.log.status()).toMatchObject({ state: 'disk-full' });
  expect(await textsOf(harness)).toEqual(['kept']);
  await streams.deleteStream({ StreamName: 'filler' }, caller);
  await until(() => {
    clock.advance(100);
    return harness.log.status().state === 'ok';
  });
  await streams.putRecord(record('resumed'), caller);
  expect(await textsOf(harness)).toEqual(['kept', 'resumed']);
  await harness.close();
});

test('ENOSPC: retention goes on while the disk is full, and puts resume when it has given back space', async () => {
  const disk = new SimDisk(3, { capacityBytes: 6 * 2 ** 20 });
  const harness = await startStreams({ disk, engine, durability: 'fsync' });
  const { streams, clock } = harness;
  await streams.createStream({ StreamName: 's', ShardCount: 1 }, caller);
  let isRefused = false;
  for (let i = 0; i < 200 && !isRefused; i++) {
    const filler = { StreamName: 's', Data: Buffer.alloc(100_000), PartitionKey: 'k' };
    await streams.putRecord(filler, caller).catch(() => (isRefused = true));
  }
  expect(harness.log.status()).toMatchObject({ state: 'disk-full' });
  clock.advance(23 * hourMs);
  await tick();
  expect(harness.log.status()).toMatchObject({ state: 'disk-full' });
  clock.advance(2 * hourMs);
  await until(() => {
    clock.advance(1000);
    return harness.log.status().state === 'ok';
  });
  await streams.putRecord(record('resumed'), caller);
  expect(await textsOf(harness)).toEqual(['resumed']);
  await harness.close();
});
