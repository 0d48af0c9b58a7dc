import { setTimeout as sleep } from 'node:timers/promises';
import type { Checks } from '../harness/checks.ts';
import { encode } from '../wire/call.ts';
import { readAnswers } from './answer.ts';
import { goodCall } from './good-calls.ts';
import { HeartbeatThread } from './heartbeat-thread.ts';
import { http1Bytes } from './request.ts';
import type { Victim } from './victim.ts';
import { latencyLine, mebibytes, residentBytes, resetPeak } from './vitals.ts';
import { Wire } from './wire.ts';

const recordsOfCall = 10;
const recordBytes = 2 ** 20 - 4;
export const residentBytesMax: number = 1e9;
const smallCallMsMax = 5000;
const answeredPartMin = 0.99;

/** Answers, as far as they are whole, by status and error type. */
type Counts = Map<string, number>;

export interface FloodOptions {
  readonly connections: number;
  /** How long readers take little by little, before they take what there is. */
  readonly slowMs: number;
  readonly msMax: number;
}

/** As many large bodies at once, then as many large answers, taken slowly. */
export async function floods(victim: Victim, checks: Checks, options: FloodOptions): Promise<void> {
  const { port } = victim;
  await goodCall(port, 'CreateStream', { StreamName: 'flood', ShardCount: 1 });
  await underWatch(
    victim,
    checks,
    `${options.connections} bodies of 14 MB`,
    ['200', '200, throttled', '503 ServiceUnavailable'],
    options,
    () => flood(options, bodyFlood(port)),
  );
  const start = { StreamName: 'flood', ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' };
  const { ShardIterator } = await goodCall(port, 'GetShardIterator', start);
  await underWatch(victim, checks, `${options.connections} answers of 10 MiB, read slowly`, ['200'], options, () =>
    flood(options, answerFlood(port, String(ShardIterator), options.slowMs)),
  );
}

type OneConnection = (counts: Counts, msMax: number) => Promise<void>;

async function flood({ connections, msMax }: FloodOptions, connect: OneConnection): Promise<Counts> {
  const counts: Counts = new Map();
  await Promise.all(Array.from({ length: connections }, () => connect(counts, msMax)));
  return counts;
}

async function underWatch(
  victim: Victim,
  checks: Checks,
  name: string,
  right: readonly string[],
  { connections }: FloodOptions,
  run: () => Promise<Counts>,
): Promise<void> {
  const { port, pid } = victim;
  const before = residentBytes(pid);
  resetPeak(pid);
  const heartbeat = await HeartbeatThread.start(port, 250, true);
  const startedMs = Date.now();
  const counts = await run();
  const seconds = (Date.now() - startedMs) / 1000;
  const pulse = await heartbeat.stop();
  const peak = residentBytes(pid, 'peak');
  const told = [...counts].map(([what, count]) => `${count} × ${what}`).join(', ');
  checks.say(
    `${name}: ${seconds.toFixed(1)} s; ${told}; resident ${mebibytes(before)} before, ${mebibytes(peak)} at most; small calls: ${latencyLine(pulse.latenciesMs)}, ${pulse.throttledCount} of them throttled`,
  );
  checks.record(
    `${name}: at most ${mebibytes(residentBytesMax)} resident`,
    peak <= residentBytesMax ? undefined : mebibytes(peak),
  );
  const answered = right.reduce((sum, what) => sum + (counts.get(what) ?? 0), 0);
  const strange = [...counts.keys()].filter((what) => !right.includes(what) && what !== 'no answer');
  checks.record(
    `${name}: answered, nearly all of them, by ${right.join(' or ')}`,
    answered >= connections * answeredPartMin && strange.length === 0 && (counts.get('200') ?? 0) > 0
      ? undefined
      : told,
  );
  const slowest = Math.max(...pulse.latenciesMs);
  const why = pulse.failures[0] ?? (slowest <= smallCallMsMax ? undefined : `one took ${slowest.toFixed(0)} ms`);
  checks.record(`${name}: small calls are answered meanwhile, within ${smallCallMsMax / 1000} s`, why);
}

function bodyFlood(port: number): OneConnection {
  const record = { PartitionKey: 'kkkk', Data: new Uint8Array(recordBytes).fill(0x5a) };
  const body = encode({ StreamName: 'flood', Records: Array<object>(recordsOfCall).fill(record) }, 'json');
  const bytes = http1Bytes({ host: `127.0.0.1:${port}` }, { operation: 'PutRecords', encoding: 'json', body });
  return async (counts, msMax) => {
    const wire = new Wire(port);
    wire.socket.write(bytes);
    await wire.until(() => readAnswers(wire.received).answers.length > 0, msMax);
    const [answer] = readAnswers(wire.take()).answers;
    wire.close();
    count(counts, answer === undefined ? 'no answer' : nameOf(answer.status, answer.body));
  };
}

function nameOf(status: number, body: Buffer): string {
  const content = JSON.parse(body.toString() || '{}') as { __type?: string; Records?: { ErrorCode?: string }[] };
  if (status !== 200) return `${status} ${content.__type}`;
  const codes = new Set((content.Records ?? []).map(({ ErrorCode }) => ErrorCode).filter((code) => code !== undefined));
  if (codes.size === 0) return '200';
  return [...codes].join() === 'ProvisionedThroughputExceededException'
    ? '200, throttled'
    : `200 with ${[...codes].join(' and ')}`;
}

const count = (counts: Counts, what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);

function answerFlood(port: number, ShardIterator: string, slowMs: number): OneConnection {
  const body = encode({ ShardIterator }, 'json');
  const bytes = http1Bytes({ host: `127.0.0.1:${port}` }, { operation: 'GetRecords', encoding: 'json', body });
  return async (counts, msMax) => {
    const wire = new Wire(port);
    // Its bytes are counted, not kept: they are more than this process has memory for.
    wire.socket.removeAllListeners('data');
    const startedMs = Date.now();
    let start = Buffer.alloc(0);
    let received = 0;
    const outcome = await new Promise<string>((resolve) => {
      const timer = setTimeout(() => resolve('no answer'), msMax);
      const done = (what: string): void => {
        clearTimeout(timer);
        resolve(what);
      };
      wire.socket.on('data', (chunk: Buffer) => {
        if (start.length < 4096) start = Buffer.concat([start, chunk.subarray(0, 4096)]);
        received += chunk.length;
        const [status, length] = headOf(start);
        if (length !== undefined && received >= length) return done(status);
        if (Date.now() - startedMs < slowMs) void pauseFor(wire, 100);
      });
      wire.socket.on('close', () => done('no answer'));
      wire.socket.write(bytes);
    });
    wire.close();
    count(counts, outcome);
  };
}

async function pauseFor(wire: Wire, ms: number): Promise<void> {
  wire.socket.pause();
  await sleep(ms);
  wire.socket.resume();
}

/** Status and length of the whole answer; undefined while the head is not there. */
function headOf(start: Buffer): [status: string, length: number | undefined] {
  const end = start.indexOf('\r\n\r\n');
  if (end < 0) return ['', undefined];
  const text = start.toString('latin1', 0, end);
  return [text.slice(9, 12), end + 4 + Number(/content-length: (\d+)/i.exec(text)?.[1])];
}
