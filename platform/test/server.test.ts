import { KinesisClient, ListStreamsCommand } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { start, StartError } from '../src/index.ts';
import { rawCall } from './raw-call.ts';
import { millrace, ServerProcess, temporaryFolder } from './server-process.ts';

const health = async (endpoint: string): Promise<Record<string, unknown>> =>
  (await (await fetch(`${endpoint}/_millrace/health`)).json()) as Record<string, unknown>;

async function textsOf(endpoint: string, StreamName: string): Promise<string[]> {
  const iterator = { StreamName, ShardId: '0', ShardIteratorType: 'TRIM_HORIZON' };
  const { ShardIterator } = await rawCall(endpoint, 'GetShardIterator', iterator);
  const { Records } = (await rawCall(endpoint, 'GetRecords', { ShardIterator })) as {
    Records: Array<{ Data: string }>;
  };
  return Records.map(({ Data }) => Buffer.from(Data, 'base64').toString());
}

const put = (endpoint: string, StreamName: string, text: string) =>
  rawCall(endpoint, 'PutRecord', { StreamName, Data: Buffer.from(text).toString('base64'), PartitionKey: 'k' });

describe('starting', () => {
  test('the banner says all that is needed, health answers, the folder is private', async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'data');
    const server = await ServerProcess.start(['--data-dir', path, '--streams', 'orders:4,clicks:1']);
    expect(server.banner).toMatch(/endpoint .*http:\/\/127\.0\.0\.1:\d+/);
    for (const part of [path, 'fsync', 'aws --endpoint-url', 'new KinesisClient('])
      expect(server.banner).toContain(part);
    expect(server.banner.split('\n').length).toBeLessThan(25);
    expect(await health(server.endpoint)).toMatchObject({
      status: 'ok',
      engine: 'embedded',
      durability: 'fsync',
      limits: 'off',
    });
    expect(await rawCall(server.endpoint, 'ListStreams', {})).toMatchObject({ StreamNames: ['clicks', 'orders'] });
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(statSync(join(path, 'checkpoint')).mode & 0o777).toBe(0o600);
    expect(await server.stop()).toBe(0);
  });

  test('a second server on a folder is refused with a sentence, and a lock left by kill -9 does not block', async () => {
    using folder = temporaryFolder();
    const first = await ServerProcess.start(['--data-dir', folder.path, '--streams', 's:1']);
    const second = await millrace(['serve', '--port', '0', '--data-dir', folder.path]);
    expect(second.code).toBe(1);
    expect(second.stderr).toBe(
      `millrace: another Millrace server is using the data folder ${folder.path}: stop it, or choose another folder with --data-dir\n`,
    );
    await put(first.endpoint, 's', 'kept');
    await first.stop('SIGKILL');
    const third = await ServerProcess.start(['--data-dir', folder.path]);
    expect(await textsOf(third.endpoint, 's')).toEqual(['kept']);
    await third.stop();
  });

  test('a taken port is told with a sentence that says what to do', async () => {
    using folder = temporaryFolder();
    const taken = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => {
      taken.on('listening', resolve);
    });
    const { port } = taken.address() as net.AddressInfo;
    const { code, stderr } = await millrace(['serve', '--port', String(port), '--data-dir', folder.path]);
    expect(code).toBe(1);
    expect(stderr).toBe(
      `millrace: port ${port} is in use: stop what listens there, or choose another with --port N (0 picks a free one)\n`,
    );
    taken.close();
  });

  test('settings are checked: flag, environment and file say the same things', async () => {
    using folder = temporaryFolder();
    const config = join(folder.path, 'config.json');
    writeFileSync(config, JSON.stringify({ durability: 'memory', limits: 'aws', port: 0 }));
    const server = await ServerProcess.start(['--config', config, '--limits', 'off']);
    expect(await health(server.endpoint)).toMatchObject({ durability: 'memory', limits: 'off' });
    await server.stop();
    for (const [args, message] of [
      [['--durability', 'sometimes'], '--durability takes fsync, os, memory; "sometimes" is none of them'],
      [['--port', '65536'], '--port takes a whole number from 0 to 65535'],
      [['--host', '0.0.0.0'], 'lets other machines in'],
      [['--streams', 'orders'], '--streams takes NAME:SHARDS'],
      [['--limit-shard-read-calls', '0'], 'takes a number above 0, or off'],
    ] as const) {
      const { code, stderr } = await millrace(['serve', '--data-dir', folder.path, ...args]);
      expect(code).toBe(1);
      expect(stderr).toContain(message);
    }
    expect(await millrace(['serve', '--unknown'])).toMatchObject({ code: 2 });
    expect((await millrace(['serve', '--help'])).stdout).toContain('--data-dir FOLDER');
    expect((await millrace(['nonsense'])).stderr).toContain('there is no command "nonsense"');
  });

  test('start() runs a server inside a test, start-up errors are StartError, close is idempotent', async () => {
    using folder = temporaryFolder();
    const server = await start({ dataDir: folder.path, streams: 'a:1' });
    expect(await rawCall(server.endpoint, 'ListStreams', {})).toMatchObject({ StreamNames: ['a'] });
    await expect(start({ dataDir: folder.path })).rejects.toBeInstanceOf(StartError);
    await server.close();
    await server.close();
    const again = await start({ dataDir: folder.path });
    expect(await rawCall(again.endpoint, 'ListStreams', {})).toMatchObject({ StreamNames: ['a'] });
    await again.close();
  });
});

describe('durability modes', () => {
  test.each([
    ['fsync', ['kept']],
    ['os', ['kept']],
  ])('%s keeps what was answered across kill -9', async (mode, texts) => {
    using folder = temporaryFolder();
    const server = await ServerProcess.start(['--data-dir', folder.path, '--durability', mode, '--streams', 's:1']);
    expect(await health(server.endpoint)).toMatchObject({ durability: mode });
    await put(server.endpoint, 's', 'kept');
    await server.stop('SIGKILL');
    const again = await ServerProcess.start(['--data-dir', folder.path, '--durability', mode]);
    expect(await textsOf(again.endpoint, 's')).toEqual(texts);
    await again.stop();
  });

  test('memory writes nothing, and is emptied by a reset, which others refuse', async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'data');
    const server = await ServerProcess.start(['--data-dir', path, '--durability', 'memory', '--streams', 's:1']);
    await put(server.endpoint, 's', 'gone');
    expect(() => statSync(path)).toThrow('ENOENT');
    expect((await fetch(`${server.endpoint}/_millrace/reset`, { method: 'POST' })).status).toBe(200);
    expect(await rawCall(server.endpoint, 'ListStreams', {})).toMatchObject({ StreamNames: [] });
    await server.stop();
    await using durable = await start({ dataDir: path });
    expect((await fetch(`${durable.endpoint}/_millrace/reset`, { method: 'POST' })).status).toBe(404);
  });
});

describe('who may call', () => {
  test('a client that is given the generated certificate as CA accepts it, over HTTP/2 and HTTP/1.1', async () => {
    using folder = temporaryFolder();
    const server = await start({ dataDir: folder.path, streams: 's:1' });
    const endpoint = server.endpoint.replace('http:', 'https:');
    // At the same time: it is made once.
    const untrusted = expect(fetch(`${endpoint}/_millrace/health`)).rejects.toThrow();
    const ca = await (await fetch(`${server.endpoint}/_millrace/certificate`)).text();
    await untrusted;
    expect(ca).toMatch(/^-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n?$/);
    const madeOf = () => (JSON.parse(readFileSync(join(folder.path, 'tls.json'), 'utf8')) as { cert: string }).cert;
    expect(madeOf().trim()).toBe(ca.trim());
    expect(statSync(join(folder.path, 'tls.json')).mode & 0o777).toBe(0o600);
    for (const host of ['127.0.0.1', 'localhost']) {
      const client = new KinesisClient({
        endpoint: endpoint.replace('127.0.0.1', host),
        region: 'us-east-1',
        credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
        requestHandler: new NodeHttpHandler({ httpsAgent: new https.Agent({ ca }) }),
      });
      expect((await client.send(new ListStreamsCommand({}))).StreamNames).toEqual(['s']);
      client.destroy();
    }
    await server.close();
    const again = await start({ dataDir: folder.path });
    await expect(fetch(`${again.endpoint.replace('http:', 'https:')}/_millrace/health`)).rejects.toThrow();
    expect(madeOf().trim()).toBe(ca.trim());
    await again.close();
  });

  test('a given certificate is used, and told without the key that lies in the same file', async () => {
    using folder = temporaryFolder();
    await using maker = await start({ dataDir: join(folder.path, 'maker') });
    await fetch(`${maker.endpoint}/_millrace/certificate`);
    const made = readFileSync(join(folder.path, 'maker', 'tls.json'), 'utf8');
    const { cert, key } = JSON.parse(made) as { cert: string; key: string };
    const [tlsCert, tlsKey] = [join(folder.path, 'both.pem'), join(folder.path, 'key.pem')];
    writeFileSync(tlsCert, `${key}\n${cert}`);
    writeFileSync(tlsKey, key);
    await using server = await start({ durability: 'memory', tlsCert, tlsKey });
    const told = await (await fetch(`${server.endpoint}/_millrace/certificate`)).text();
    expect(told.trim()).toBe(cert.trim());
    const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
      https
        .get(`${server.endpoint.replace('http:', 'https:')}/_millrace/health`, { ca: told }, resolve)
        .on('error', reject);
    });
    answer.resume();
    expect(answer.statusCode).toBe(200);
  });

  test('--auth takes a right signature and no other, and the account from its file', async () => {
    using folder = temporaryFolder();
    const auth = join(folder.path, 'credentials');
    writeFileSync(
      auth,
      '[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\naws_account_id = 123456789012\n',
    );
    await using server = await start({ durability: 'memory', auth });
    const list = async (accessKeyId: string, secretAccessKey: string) => {
      const client = new KinesisClient({
        endpoint: server.endpoint,
        region: 'us-east-1',
        credentials: { accessKeyId, secretAccessKey },
      });
      try {
        return await client.send(new ListStreamsCommand({}));
      } finally {
        client.destroy();
      }
    };
    expect((await list('AKIDEXAMPLE', 'secret')).StreamNames).toEqual([]);
    await expect(list('AKIDEXAMPLE', 'wrong')).rejects.toMatchObject({ name: 'InvalidSignatureException' });
    await expect(list('UNKNOWN', 'secret')).rejects.toMatchObject({ name: 'UnrecognizedClientException' });
    await expect(rawCall(server.endpoint, 'ListStreams', {}, { accessKeyId: 'AKIDEXAMPLE' })).rejects.toMatchObject({
      name: 'InvalidSignatureException',
    });
    expect((await fetch(`${server.endpoint}/_millrace/health`)).status).toBe(200);
    expect((await fetch(`${server.endpoint}/_millrace/reset`, { method: 'POST' })).status).toBe(403);
    expect((await fetch(`${server.endpoint}/_millrace/certificate`)).status).toBe(403);
  });

  test('STS says which account one has, as the ARNs of streams have it', async () => {
    await using server = await start({ durability: 'memory' });
    for (const [region, accessKeyId, arn] of [
      ['us-east-1', 'test', 'arn:aws:iam::000000000000:root'],
      ['cn-north-1', '123456789012', 'arn:aws-cn:iam::123456789012:root'],
    ] as const) {
      const answer = await fetch(server.endpoint, {
        method: 'POST',
        headers: {
          'X-Amz-Date': '20260101T000000Z',
          Authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20260101/${region}/sts/aws4_request, SignedHeaders=host, Signature=0`,
        },
        body: new URLSearchParams({ Action: 'GetCallerIdentity', Version: '2011-06-15' }),
      });
      const text = await answer.text();
      const account = arn.split(':')[4] as string;
      expect(text).toContain(`<Arn>${arn}</Arn><UserId>${account}</UserId><Account>${account}</Account>`);
      await rawCall(server.endpoint, 'CreateStream', { StreamName: 's', ShardCount: 1 }, { region, accessKeyId });
      const described = await rawCall(
        server.endpoint,
        'DescribeStreamSummary',
        { StreamName: 's' },
        { region, accessKeyId },
      );
      const { StreamARN } = described['StreamDescriptionSummary'] as { StreamARN: string };
      const [, partition] = arn.split(':');
      expect(StreamARN).toBe(`arn:${partition}:kinesis:${region}:${account}:stream/s`);
    }
  });

  test('a foreign Origin or Host is refused before anything happens, unless it is named', async () => {
    const statusOf = (endpoint: string, headers: Record<string, string>, method = 'GET'): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        http
          .request(`${endpoint}/_millrace/health`, { method, headers }, (response) =>
            resolve(response.resume().statusCode),
          )
          .on('error', reject)
          .end();
      });
    await using server = await start({ durability: 'memory' });
    await using wide = await start({
      durability: 'memory',
      corsOrigin: 'https://app.example',
      hostName: 'kinesis.internal',
    });
    const foreignOrigin = { Origin: 'https://app.example' };
    const foreignHost = { Host: 'kinesis.internal:4566' };
    for (const headers of [foreignOrigin, foreignHost]) {
      expect(await statusOf(server.endpoint, headers)).toBe(403);
      expect(await statusOf(server.endpoint, headers, 'OPTIONS')).toBe(403);
      expect(await statusOf(wide.endpoint, headers)).toBe(200);
    }
    expect(await statusOf(wide.endpoint, { Origin: 'https://evil.example' })).toBe(403);
    expect(await statusOf(server.endpoint, { Origin: 'http://localhost:3000', Host: 'localhost:1' })).toBe(200);
  });

  test('--tls-only closes plain connections', async () => {
    await using server = await start({ durability: 'memory', tlsOnly: true });
    expect(server.endpoint).toMatch(/^https:/);
    await expect(fetch(`${server.endpoint.replace('https', 'http')}/_millrace/health`)).rejects.toThrow();
  });
});

test('put and tail carry lines through, in order by key', async () => {
  await using server = await start({ durability: 'memory', streams: 's:4' });
  const lines = Array.from({ length: 20_000 }, (_, i) => JSON.stringify({ user: `u${i % 100}`, n: i }));
  const done = await millrace(
    ['put', 's', '--key-field', 'user', '--endpoint', server.endpoint],
    `${lines.join('\n')}\n`,
  );
  expect(done).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/^20,000 records in [\d.]+ s \([\d,]+\/s\)\n$/),
  });
  const { stdout } = await millrace([
    'tail',
    's',
    '--from',
    'trim-horizon',
    '--no-follow',
    '--endpoint',
    server.endpoint,
  ]);
  const got = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { user: string; n: number });
  expect(new Set(got.map(({ n }) => n)).size).toBe(20_000);
  const last = new Map<string, number>();
  for (const { user, n } of got) {
    expect(n).toBeGreaterThan(last.get(user) ?? -1);
    last.set(user, n);
  }
  expect((await millrace(['put', 's', '--key-field', 'none', '--endpoint', server.endpoint], '{"a":1}\n')).stderr).toBe(
    'millrace: line 1 has no field "none" that could be a partition key\n',
  );
  expect((await millrace(['streams', 'describe', 's', '--endpoint', server.endpoint])).stdout).toContain(
    'shardId-000000000003',
  );
});
