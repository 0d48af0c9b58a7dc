import type { Checks } from '../harness/checks.ts';
import { encode } from '../wire/call.ts';
import { readAnswers } from './answer.ts';
import { aliveFailure, latencyFailure } from './checkups.ts';
import { residentBytesMax } from './floods.ts';
import { goodCall } from './good-calls.ts';
import { HeartbeatThread } from './heartbeat-thread.ts';
import { http1Bytes, queryAuthorization, type Request } from './request.ts';
import { Victim } from './victim.ts';
import { latencyLine, mebibytes, residentBytes, resetPeak } from './vitals.ts';
import { Wire } from './wire.ts';

const bodyBytes = 16 * 2 ** 20 - 64;
const timesEach = 2;
const answerMsMax = 20_000;
const smallCallMsMax = 3000;

/** Single requests that would make of few bytes very many objects. Each is within every bound of size. */
export async function amplification(checks: Checks): Promise<void> {
  const victim = await Victim.start();
  try {
    const { port, pid } = victim;
    await goodCall(port, 'CreateStream', { StreamName: 'good', ShardCount: 1 });
    for (const [name, request] of amplified()) {
      const heartbeat = await HeartbeatThread.start(port, 100);
      resetPeak(pid);
      const startedMs = performance.now();
      const statuses = await Promise.all(Array.from({ length: timesEach }, () => statusOf(port, request)));
      const ms = performance.now() - startedMs;
      const pulse = await heartbeat.stop();
      const peak = victim.isAlive ? residentBytes(pid, 'peak') : Number.NaN;
      checks.say(
        `${name}: ${statuses.join(', ')} in ${ms.toFixed(0)} ms; ${mebibytes(peak)} at most; small calls: ${latencyLine(pulse.latenciesMs)}`,
      );
      const refused = statuses.every((status) => status >= 400 && status < 500) ? undefined : statuses.join(', ');
      const why = aliveFailure(victim) ?? refused ?? latencyFailure(pulse.latenciesMs, pulse.failures, smallCallMsMax);
      checks.record(
        `16 MiB of ${name} are refused, and small calls are answered within ${smallCallMsMax / 1000} s`,
        why,
      );
      checks.record(
        `16 MiB of ${name} take at most ${mebibytes(residentBytesMax)} resident`,
        peak <= residentBytesMax ? undefined : mebibytes(peak),
      );
      if (!victim.isAlive) return;
    }
  } finally {
    await victim.close();
  }
}

/** More shards than there is memory for. A process of little memory, so that it is soon over. */
export async function hugeStream(checks: Checks): Promise<void> {
  const victim = await Victim.start(['--max-old-space-size=256']);
  try {
    const request: Request = {
      operation: 'CreateStream',
      encoding: 'json',
      body: encode({ StreamName: 'huge', ShardCount: 1e300 }, 'json'),
    };
    const status = await statusOf(victim.port, request);
    const why = aliveFailure(victim) ?? (status >= 400 && status < 500 ? undefined : `answered ${status}`);
    checks.record('a stream of more shards than there can be is refused', why);
  } finally {
    await victim.close();
  }
}

async function statusOf(port: number, request: Request): Promise<number> {
  const wire = new Wire(port);
  wire.socket.write(http1Bytes({ host: `127.0.0.1:${port}` }, request));
  await wire.until(() => readAnswers(wire.received).answers.length > 0, answerMsMax);
  const [answer] = readAnswers(wire.take()).answers;
  wire.close();
  return answer?.status ?? Number.NaN;
}

function amplified(): [string, Request][] {
  const json = (name: string, unit: string): [string, Request] => {
    const body = Buffer.from(`{"StreamName":[${unit.repeat(Math.floor(bodyBytes / unit.length))}0]}`);
    return [name, { operation: 'PutRecords', encoding: 'json', body }];
  };
  const cbor = (name: string, open: number, unit: number): [string, Request] => {
    const key = Buffer.from('StreamName');
    const start = Buffer.concat([Buffer.of(0xa1, 0x60 + key.length), key, Buffer.of(open)]);
    const body = Buffer.concat([start, Buffer.alloc(bodyBytes - start.length, unit), Buffer.of(0xff)]);
    return [name, { operation: 'PutRecords', encoding: 'cbor', body }];
  };
  const formHeaders = { 'content-type': 'application/x-www-form-urlencoded', authorization: queryAuthorization };
  const form: Request = {
    operation: 'GetCallerIdentity',
    encoding: 'json',
    body: Buffer.alloc(bodyBytes, 'a&'),
    headers: { ...formHeaders, 'x-amz-target': undefined },
  };
  return [
    ['names in a form', form],
    json('empty lists in JSON', '[],'),
    json('empty objects in JSON', '{},'),
    json('nested lists in JSON', '[[[]]],'),
    json('numbers in JSON', '1.5,'),
    json('short strings in JSON', '"ab",'),
    cbor('numbers in CBOR', 0x9f, 0x01),
    cbor('empty lists in CBOR', 0x9f, 0x80),
    cbor('empty maps in CBOR', 0x9f, 0xa0),
    cbor('empty byte strings in CBOR', 0x9f, 0x40),
    cbor('pieces of a byte string in CBOR', 0x5f, 0x40),
    cbor('pieces of a text in CBOR', 0x7f, 0x60),
  ];
}
