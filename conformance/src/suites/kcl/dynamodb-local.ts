import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackgroundProcess } from '../../harness/background-process.ts';
import { UnavailableError } from '../../harness/checks.ts';
import { buildWithMaven } from '../../harness/maven.ts';

const startMsMax = 60_000;

/** DynamoDB Local in memory, for the tables of the KCL. */
export interface DynamoDbLocal {
  readonly endpoint: string;
  close(): Promise<void>;
}

/** @throws UnavailableError */
export async function startDynamoDbLocal(): Promise<DynamoDbLocal> {
  const { classPath, dependencyFolder } = await buildWithMaven('java-kcl/dynamodb');
  const port = await freePort();
  const program = 'com.amazonaws.services.dynamodbv2.local.main.ServerRunner';
  const java = ['-XX:+UseSerialGC', '-Xmx384m', `-Dsqlite4java.library.path=${dependencyFolder}`, '-cp', classPath];
  const args = [...java, program, '-inMemory', '-sharedDb', '-disableTelemetry', '-port', String(port)];
  const process = new BackgroundProcess('java', args, { env: { DDB_LOCAL_TELEMETRY: '0' } });
  const endpoint = `http://127.0.0.1:${port}`;
  const endMs = performance.now() + startMsMax;
  while (!(await answers(endpoint))) {
    if (process.isRunning && performance.now() < endMs) await sleep(200);
    else {
      await process.kill();
      throw new UnavailableError(`DynamoDB Local did not start: ${process.stderr}`);
    }
  }
  return { endpoint, close: () => process.kill() };
}

/** Anything: a request without a signature is refused. */
async function answers(endpoint: string): Promise<boolean> {
  return fetch(endpoint).then(
    () => true,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
