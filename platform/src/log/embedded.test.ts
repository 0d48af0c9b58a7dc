import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { silentLogger } from '../kernel/logger.ts';
import { systemRandom } from '../kernel/random.ts';
import { systemDisk } from '../kernel/system-disk.ts';
import {
  BatchBuilder,
  BatchReader,
  openEmbeddedLog,
  type LogControl,
  type LogEngine,
  type StateMachine,
} from './index.ts';

function batch(keys: string[]): { batch: Buffer; recordCount: number } {
  const builder = new BatchBuilder(61 + keys.length * 200);
  for (const key of keys) builder.add(key, Buffer.byteLength(key), Buffer.from(`value of ${key}`));
  return { batch: builder.finish(), recordCount: builder.recordCount };
}

class Counter implements StateMachine {
  count = 0;
  apply(command: Uint8Array, control: LogControl): unknown {
    const text = Buffer.from(command).toString();
    if (text === 'provision') control.provision({ group: 1, shard: 0 });
    if (text === 'drop') control.drop(1);
    return ++this.count;
  }
  snapshot(): Uint8Array {
    return Buffer.from(String(this.count));
  }
  restore(bytes: Uint8Array): void {
    this.count = Number(Buffer.from(bytes).toString());
  }
}

async function keysOf(log: LogEngine, from: number): Promise<string[]> {
  const page = await log.read({ group: 1, shard: 0 }, from, { bytesMax: 1e9, recordsMax: 1e9, notBeforeMs: 0 });
  const keys: string[] = [];
  for (const each of page.batches) {
    const reader = new BatchReader(each.bytes);
    for (let offset = each.baseOffset; reader.next(); offset++) {
      if (offset >= from) keys.push(reader.bytes.toString('utf8', reader.keyStart, reader.keyEnd));
    }
  }
  return keys;
}

test('what was stored is there after a close and after an abandoned run', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-'));
  const machine = new Counter();
  const open = (m: StateMachine): Promise<LogEngine> =>
    openEmbeddedLog({
      disk: systemDisk(folder),
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      machine: m,
      durability: 'fsync',
    });
  let log = await open(machine);
  expect(await log.propose(Buffer.from('provision'))).toBe(1);
  const outcomes = await log.append([{ group: 1, shard: 0, ...batch(['a', 'b']) }]);
  expect(outcomes[0]).toMatchObject({ kind: 'stored', baseOffset: 0 });
  await log.append([{ group: 1, shard: 0, ...batch(['ü', 'd'.repeat(100)]) }]);
  expect(await keysOf(log, 1)).toEqual(['b', 'ü', 'd'.repeat(100)]);
  // Abandoned: no close.
  const second = new Counter();
  log = await open(second);
  expect(second.count).toBe(1);
  expect(await keysOf(log, 0)).toEqual(['a', 'b', 'ü', 'd'.repeat(100)]);
  await log.append([{ group: 1, shard: 0, ...batch(['e']) }]);
  await log.close();
  log = await open(new Counter());
  expect(await keysOf(log, 3)).toEqual(['d'.repeat(100), 'e']);
  await log.propose(Buffer.from('drop'));
  await expect(keysOf(log, 0)).rejects.toThrow('no shard log');
  await log.close();
  rmSync(folder, { recursive: true });
});
