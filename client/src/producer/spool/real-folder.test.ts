import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ClientError } from '../../errors.ts';
import { SpoolLockedError } from './errors.ts';
import { segmentHeaderBytes } from './format.ts';
import { Spool, type SpoolSync } from './spool.ts';
import { appendMany, range, recordOf, recoveredFrom } from './testing/harness.ts';

describe('a real folder', () => {
  let parent = '';
  let folder = '';
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'spool-test-'));
    folder = join(parent, 'made', 'spool');
  });
  afterEach(() => rmSync(parent, { recursive: true }));

  const program = (body: string): string[] => [
    '--input-type=module',
    '--eval',
    `import { Spool } from ${JSON.stringify(new URL('spool.ts', import.meta.url).href)};
     import { writeSync } from 'node:fs';
     const spool = await Spool.open({ folder: process.argv[1], sync: process.argv[2], segmentBytesMax: 20_000 });
     ${body}`,
    '--',
    folder,
  ];
  const env = { ...process.env, NODE_OPTIONS: '' };

  it.each<SpoolSync>(['always', 'interval', 'never'])('with sync %s: keeps records over a restart', async (sync) => {
    const options = { folder, sync, segmentBytesMax: 2000 };
    const spool = await Spool.open(options);
    expect(await appendMany(spool, 0, 100)).toEqual(range(0, 100));
    expect(await appendMany(spool, 100, 100)).toEqual(range(100, 200));
    for (const number of range(0, 190)) spool.settle(number);
    await spool.close();
    const again = await Spool.open(options);
    const found = await recoveredFrom(again);
    expect([...found.keys()]).toEqual(range(190, 200));
    expect(found.get(190)).toEqual({ explicitHashKey: undefined, ...recordOf(190) });
    for (const number of range(190, 200)) again.settle(number);
    await again.close();
    const [name, ...more] = readdirSync(folder).filter((each) => each !== 'lock');
    expect(more).toEqual([]);
    expect(statSync(join(folder, name as string))).toMatchObject({ size: segmentHeaderBytes, mode: 0o100600 });
    expect(statSync(folder).mode).toBe(0o40700);
  });

  it('is open once', async () => {
    const spool = await Spool.open({ folder });
    const second = Spool.open({ folder });
    await expect(second).rejects.toThrow(SpoolLockedError);
    await expect(second).rejects.toThrow(folder);
    await expect(second).rejects.toBeInstanceOf(ClientError);
    await expect(second).rejects.toMatchObject({ code: 'MR_SPOOL_LOCKED', isRetryable: false });
    await spool.close();
    await (await Spool.open({ folder })).close();
  });

  it('is not open to a second process', async () => {
    const spool = await Spool.open({ folder });
    const { status, stderr } = spawnSync(process.execPath, [...program(''), 'always'], { env, encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toContain(`SpoolLockedError: the spool folder ${folder} is in use`);
    await spool.close();
  });

  it('that cannot be made is not opened', async () => {
    await expect(Spool.open({ folder: '/dev/null/spool' })).rejects.toMatchObject({ code: 'MR_SPOOL_FAILED' });
  });

  it('does not keep a process alive', async () => {
    const body = `spool.settle(await spool.append({ partitionKey: 'p', data: Buffer.from('x') }));
      await spool.append({ partitionKey: 'q', data: Buffer.from('y') });`;
    execFileSync(process.execPath, [...program(body), 'interval'], { env, timeout: 20_000 });
    const spool = await Spool.open({ folder });
    expect([...(await recoveredFrom(spool)).keys()]).toEqual([1]);
    await spool.close();
  });

  it.each<SpoolSync>(['always', 'never'])('with sync %s: has all that a killed process was told', async (sync) => {
    const body = `for (let worker = 0; worker < 20; worker++) void (async () => {
        for (let i = 0; ; i++) {
          const name = worker + '/' + i;
          const number = await spool.append({ partitionKey: name, data: Buffer.alloc(i % 300, name + ',') });
          if (number % 3 === 0) spool.settle(number);
          else writeSync(1, number + ' ' + name + '\\n');
        }
      })();`;
    const child = spawn(process.execPath, [...program(body), sync], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let told = '';
    child.stdout.on('data', (bytes: Buffer) => {
      told += bytes.toString();
      if (told.length > 40_000) child.kill('SIGKILL');
    });
    await new Promise((resolve) => child.on('close', resolve));
    expect(child.signalCode).toBe('SIGKILL');
    const spool = await Spool.open({ folder });
    const found = await recoveredFrom(spool);
    const lines = told.split('\n').slice(0, -1);
    expect(lines.length).toBeGreaterThan(1000);
    const lost = lines.filter((line) => {
      const [number, name] = line.split(' ');
      return found.get(Number(number))?.partitionKey !== name;
    });
    expect(lost).toEqual([]);
    expect(await spool.append(recordOf('next'))).toBeGreaterThan(Math.max(...found.keys()));
    await spool.close();
  });
});
