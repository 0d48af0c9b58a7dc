import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ClientError, InvalidArgumentError } from '../../errors.ts';
import type { Lease, NewLease } from './lease.ts';
import { SqliteLeaseStore } from './sqlite.ts';
import { leaseStoreContract } from './testing/contract.ts';

leaseStoreContract('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'leases-test-'));
  return {
    storeOf: () => new SqliteLeaseStore({ file: join(folder, 'leases') }),
    cleanUp: async () => rmSync(folder, { recursive: true }),
  };
});

const newLease = (shardId: string): NewLease => ({
  shardId,
  checkpoint: { sequenceNumber: 'LATEST', subSequenceNumber: 0 },
  parentShardIds: [],
  hashKeyRange: undefined,
});

let folder = '';
let file = '';
let stores: SqliteLeaseStore[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'leases-test-'));
  file = join(folder, 'leases');
});
afterEach(async () => {
  for (const store of stores) await store.close();
  stores = [];
  rmSync(folder, { recursive: true });
});

async function openStore(application = 'application'): Promise<SqliteLeaseStore> {
  const store = new SqliteLeaseStore({ file });
  stores.push(store);
  await store.open(application);
  return store;
}

async function takenBy(store: SqliteLeaseStore, worker: string, shardId = 's'): Promise<Lease> {
  await store.create(newLease(shardId));
  const seen = (await store.list()).find((lease) => lease.shardId === shardId);
  return (await store.take(seen as Lease, worker)) as Lease;
}

function withDatabase<T>(work: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(file);
  try {
    return work(database);
  } finally {
    database.close();
  }
}

const workersIn = (database: DatabaseSync): unknown[] =>
  database
    .prepare('SELECT worker FROM workers ORDER BY worker')
    .all()
    .map(({ worker }) => worker);

describe('a file of leases', () => {
  it('keeps them, and syncs each write', async () => {
    const store = await openStore();
    const held = await takenBy(store, 'a');
    const done = await store.checkpoint(held, { sequenceNumber: '7', subSequenceNumber: 3 }, ['c']);
    await store.close();
    expect(await (await openStore()).list()).toEqual([done]);
    expect(withDatabase((database) => database.prepare('PRAGMA journal_mode').get())).toEqual({ journal_mode: 'wal' });
  });

  it('is of many applications, which know nothing of each other', async () => {
    const one = await openStore('one');
    const other = await openStore('other');
    const held = await takenBy(one, 'a');
    const list = await one.list();
    expect(await other.list()).toEqual([]);
    const others = await takenBy(other, 'a');
    await other.renew('a', [others]);
    expect(await one.list()).toBe(list);
    expect(await other.delete((await other.list())[0] as Lease)).toBe(true);
    expect(await one.list()).toBe(list);
    expect(list).toEqual([held]);
  });

  it('is read only for what has changed', async () => {
    const one = await openStore();
    const other = await openStore();
    await takenBy(one, 'a', 's');
    const held = await takenBy(other, 'b', 't');
    const list = await one.list();
    expect(await one.list()).toBe(list);
    // Refused: nothing is written.
    expect(await other.take({ ...held, fence: 0 }, 'c')).toBeUndefined();
    expect(await one.list()).toBe(list);
    await other.renew('b', [held]);
    const next = await one.list();
    expect(next).not.toBe(list);
    expect(next.find(({ shardId }) => shardId === 's')).toBe(list.find(({ shardId }) => shardId === 's'));
    expect(next.find(({ shardId }) => shardId === 't')).not.toEqual(list.find(({ shardId }) => shardId === 't'));
    expect(await one.list()).toBe(next);
  });

  it('has one row for the signs of life of a worker, and none for those that are gone', async () => {
    const store = await openStore();
    const held = [await takenBy(store, 'a', 's'), await takenBy(store, 'a', 't')];
    const gone = await takenBy(store, 'gone', 'u');
    await store.renew('a', held);
    await store.release(gone, 'gone');
    await store.ask((await store.list()).find(({ shardId }) => shardId === 's') as Lease, 'successor');
    const pulse = (await store.list()).find(({ shardId }) => shardId === 't')?.pulse;
    expect(withDatabase(workersIn)).toEqual(['a', 'gone', 'successor']);
    const again = await openStore();
    expect(withDatabase(workersIn)).toEqual(['a', 'successor']);
    expect((await again.list()).find(({ shardId }) => shardId === 't')?.pulse).toBe(pulse);
  });

  it('never repeats the pulse of a worker that was forgotten and comes back', async () => {
    const store = await openStore();
    const pulses = new Set<number>();
    for (let i = 0; i < 5; i++) {
      const held = await takenBy(store, 'a');
      pulses.add(held.pulse);
      await store.release(held, 'a');
      await openStore();
      expect(withDatabase(workersIn)).toEqual([]);
    }
    expect(pulses.size).toBe(5);
  });

  it('never repeats the fence of a lease that was deleted', async () => {
    const store = await openStore();
    const held = await takenBy(store, 'a');
    await store.delete(held);
    await takenBy(store, 'b');
    expect(await store.checkpoint(held, { sequenceNumber: '7', subSequenceNumber: 0 })).toBeUndefined();
  });

  it('of a later version is left alone', async () => {
    await (await openStore()).close();
    withDatabase((database) => database.exec('PRAGMA user_version = 2; PRAGMA journal_mode = DELETE'));
    const opened = openStore();
    await expect(opened).rejects.toMatchObject({ code: 'MR_LEASES_VERSION', isRetryable: false });
    await expect(opened).rejects.toThrow(`the lease file ${file} has format 2, which this version cannot read`);
    expect(withDatabase((database) => database.prepare('PRAGMA journal_mode').get())).toEqual({
      journal_mode: 'delete',
    });
  });

  it('that is something else is left alone', async () => {
    withDatabase((database) => database.exec('CREATE TABLE mine (a)'));
    await expect(openStore()).rejects.toMatchObject({ code: 'MR_LEASES_FOREIGN', isRetryable: false });
    expect(withDatabase((database) => database.prepare('SELECT name FROM sqlite_schema').all())).toEqual([
      { name: 'mine' },
    ]);
  });

  it('that cannot be opened is named', async () => {
    file = join(folder, 'absent', 'leases');
    const opened = openStore();
    await expect(opened).rejects.toMatchObject({ code: 'MR_LEASES_FAILED', isRetryable: false });
    await expect(opened).rejects.toThrow(file);
  });

  it('that others write for long is busy, and can be read', async () => {
    const store = await openStore();
    const held = await takenBy(store, 'a');
    const other = new DatabaseSync(file);
    other.exec('BEGIN IMMEDIATE');
    const renewed = store.renew('a', [held]);
    await expect(renewed).rejects.toBeInstanceOf(ClientError);
    await expect(renewed).rejects.toMatchObject({ code: 'MR_LEASES_BUSY', isRetryable: true });
    expect(await store.list()).toEqual([held]);
    const waiting = store.renew('a', [held]);
    other.close();
    expect((await waiting).get('s')?.pulse).toBeGreaterThan(held.pulse);
  });

  it('is open once for each store, and not after the close', async () => {
    const store = await openStore();
    await expect(store.open('application')).rejects.toThrow(InvalidArgumentError);
    const held = await takenBy(store, 'a');
    await store.close();
    await store.close();
    const closed = { code: 'MR_LEASES_CLOSED', isRetryable: false };
    await expect(store.list()).rejects.toMatchObject(closed);
    await expect(store.renew('a', [held])).rejects.toMatchObject(closed);
    await expect(store.checkpoint(held, held.checkpoint)).rejects.toMatchObject(closed);
    await expect(store.open('application')).rejects.toMatchObject(closed);
  });
});

describe('processes that share a file of leases', () => {
  const env = { ...process.env, NODE_OPTIONS: '' };

  const program = (worker: string, body: string): string[] => [
    '--input-type=module',
    '--eval',
    `import { SqliteLeaseStore } from ${JSON.stringify(new URL('sqlite.ts', import.meta.url).href)};
     import { writeSync } from 'node:fs';
     const [file, worker] = process.argv.slice(1);
     const say = (value) => writeSync(1, JSON.stringify(value) + '\\n');
     const at = (number) => ({ sequenceNumber: String(number), subSequenceNumber: 0 });
     const newLease = (shardId) => ({ shardId, checkpoint: at(0), parentShardIds: [], hashKeyRange: undefined });
     const store = new SqliteLeaseStore({ file });
     await store.open('application');
     ${body}`,
    '--',
    file,
    worker,
  ];

  it('open a new one at once, and fight over it: each change of a lease is one worker’s', async () => {
    const body = `
      for (let i = 0; i < 10; i++) {
        const fresh = new SqliteLeaseStore({ file: file + i });
        await fresh.open('application');
        await fresh.create(newLease(worker));
        await fresh.close();
      }
      for (let i = 0; i < 20; i++) if (await store.create(newLease('s' + i))) say({ made: 's' + i });
      for (let round = 0; round < 10; round++) {
        for (const seen of await store.list()) {
          if (seen.owner === worker) continue;
          const taken = await store.take(seen, worker);
          if (taken !== undefined) say({ shardId: seen.shardId, from: seen.fence, to: taken.fence, worker });
        }
      }
      await store.close();`;
    const said = await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (worker) => {
        const child = spawn(process.execPath, program(worker, body), { env, stdio: ['ignore', 'pipe', 'inherit'] });
        let text = '';
        child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()));
        expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
        return text.split('\n').slice(0, -1);
      }),
    );
    interface Said {
      readonly made?: string;
      readonly shardId: string;
      readonly from: number;
      readonly to: number;
      readonly worker: string;
    }
    const lines = said.flat().map((line) => JSON.parse(line) as Said);
    const made = lines.flatMap((line) => line.made ?? []);
    expect(made.toSorted()).toEqual(Array.from({ length: 20 }, (_, i) => `s${i}`).toSorted());
    const leases = await (await openStore()).list();
    expect(leases.length).toBe(20);
    for (const { shardId, owner, fence } of leases) {
      const changes = lines.filter((line) => line.shardId === shardId).toSorted((x, y) => x.to - y.to);
      // One after the other: nobody has been told that it has what another one took from the same lease.
      expect(changes.slice(1).map(({ from }) => from)).toEqual(changes.slice(0, -1).map(({ to }) => to));
      expect(changes.at(-1)).toMatchObject({ to: fence, worker: owner });
    }
  });

  it('leave what they were told is written when they are killed', async () => {
    const body = `
      for (let i = 0; i < 20; i++) await store.create(newLease('s' + i));
      const held = [];
      for (const seen of await store.list()) held.push(await store.take(seen, worker));
      for (let number = 1; ; number++) {
        const i = number % held.length;
        held[i] = await store.checkpoint(held[i], at(number));
        say([held[i].shardId, number]);
      }`;
    const child = spawn(process.execPath, program('a', body), { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (bytes: Buffer) => {
      text += bytes.toString();
      if (text.length > 5000) child.kill('SIGKILL');
    });
    await new Promise((resolve) => child.on('close', resolve));
    expect(child.signalCode).toBe('SIGKILL');
    const told = new Map(
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as [string, number]),
    );
    const store = await openStore();
    const leases = await store.list();
    expect(told.size).toBe(20);
    for (const { shardId, checkpoint } of leases)
      expect(Number(checkpoint.sequenceNumber)).toBeGreaterThanOrEqual(told.get(shardId) as number);
    expect(await store.take(leases[0] as Lease, 'b')).toMatchObject({ owner: 'b' });
  });
});
