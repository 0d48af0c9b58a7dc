import { SeededRandom } from '../durability/seeded-random.ts';
import type { Checks } from '../harness/checks.ts';
import { encode } from '../wire/call.ts';
import { readAnswers } from './answer.ts';
import { endHeaders, fields, frame, frameTypes, opening, preface, readHttp2 } from './http2-frames.ts';
import { head, headersOf, http1Bytes, http2Bytes } from './request.ts';
import { Wire } from './wire.ts';

const stepMs = 1000;

interface SlowKind {
  readonly name: string;
  /** Sent at once. */
  readonly start: Buffer;
  /** Then one byte after the other. */
  readonly trickle: Buffer;
  readonly tls?: 'http/1.1' | 'h2';
  /** By when the server must have given up. */
  readonly closedMsMax: number;
  /** May be told that there is no room, where it has to wait for it. */
  readonly mayBeBusy?: true;
}

/** What the server grants, with room for its sweeps and a busy machine. Source: bounds published in the protocol's limits. */
const headMsMax = 16_000;
const stallMsMax = 24_000;
const bodyMsMax = 72_000;
const idleMsMax = 90_000;
/** A body of unknown length may first have to wait for its share. */
const unknownMsMax = 90_000;

/** Connections that say little, and late. The server must end them by itself, and nobody else may notice. */
export async function slowAttacks(
  port: number,
  checks: Checks,
  options: { each: number; ofUnknownLength: number; isLong: boolean },
): Promise<void> {
  const random = new SeededRandom(7);
  const kinds = slowKinds(port).filter(({ closedMsMax }) => options.isLong || closedMsMax < bodyMsMax);
  const outcomes = await Promise.all(
    kinds.map(async (kind) => {
      const count = kind.mayBeBusy === true ? options.ofUnknownLength : options.each;
      const connections = Array.from({ length: count }, () => trickle(port, kind, random.int(0, stepMs)));
      return { kind, count, failures: (await Promise.all(connections)).filter((why) => why !== undefined) };
    }),
  );
  for (const { kind, count, failures } of outcomes) {
    const why = failures.length === 0 ? undefined : `${failures.length} of ${count}: ${failures[0]}`;
    checks.record(`slow: ${kind.name} is ended within ${kind.closedMsMax / 1000} s (${count})`, why);
  }
}

/** Longer than heads may take. */
const silentMs = 12_000;

/** A client that is busy with many connections at once may need long for the first byte of one. */
export async function lateFirstByte(port: number, checks: Checks): Promise<void> {
  const wire = new Wire(port);
  await new Promise((resolve) => setTimeout(resolve, silentMs));
  const call = { operation: 'DescribeLimits', encoding: 'json', body: Buffer.from('{}') } as const;
  if (!wire.isClosed) wire.socket.write(http1Bytes({ host: `127.0.0.1:${port}` }, call));
  await wire.until(() => readAnswers(wire.received).answers.length > 0);
  const [answer] = readAnswers(wire.take()).answers;
  wire.close();
  checks.record(
    `slow: a connection that is silent for ${silentMs / 1000} s is served`,
    answer?.status === 200 ? undefined : `answered by ${answer?.status ?? 'nothing'}`,
  );
}

const heldBodies = 20;

/**
 * Bodies of unknown length that stop, more than have a share of memory at one time; then a small call that does not say its length, either.
 * Assumed: that it waits for theirs to be given up is today's bound. It should not wait at all: what holds it up costs a stranger nothing.
 */
export async function heldUp(port: number, checks: Checks): Promise<void> {
  const host = `127.0.0.1:${port}`;
  const call = { operation: 'DescribeLimits', encoding: 'json', body: Buffer.from('{}') } as const;
  const chunked = head('POST / HTTP/1.1', [['host', host], ...headersOf(call), ['transfer-encoding', 'chunked']]);
  const held = Array.from({ length: heldBodies }, () => new Wire(port));
  for (const wire of held) wire.socket.write(Buffer.concat([chunked, Buffer.from('1\r\n{')]));
  await new Promise((resolve) => setTimeout(resolve, stepMs));
  const wire = new Wire(port);
  const startedMs = Date.now();
  wire.socket.write(http2Bytes({ host }, call));
  const isLate = await wire.until(() => readHttp2(wire.received).endedStreams.size > 0, stallMsMax);
  const [answer] = readHttp2(wire.take()).answers;
  for (const each of [wire, ...held]) each.close();
  checks.say(
    `a small HTTP/2 call without Content-Length, behind ${heldBodies} bodies that stop: ${Date.now() - startedMs} ms`,
  );
  checks.record(
    `slow: a small HTTP/2 call without Content-Length waits no longer than bodies of unknown length may stop`,
    isLate || answer?.status !== 200 ? `answered by ${answer?.status ?? 'nothing'}` : undefined,
  );
}

function slowKinds(port: number): SlowKind[] {
  const host = `127.0.0.1:${port}`;
  const nothing = Buffer.alloc(0);
  const body = encode({ StreamName: 'subject', PartitionKey: 'k', Data: new Uint8Array(3000) }, 'json');
  const put = { operation: 'PutRecord', encoding: 'json', body } as const;
  const whole = http1Bytes({ host }, put);
  const bodyAt = whole.indexOf('\r\n\r\n') + 4;
  const chunkedHead = head('POST / HTTP/1.1', [['host', host], ...headersOf(put), ['transfer-encoding', 'chunked']]);
  const h2 = http2Bytes({ host }, { ...put, headers: { 'content-length': String(body.length) } });
  const h2BodyAt = h2.length - body.length;
  const block = fields([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', host],
    ...headersOf(put),
  ]);
  const declared = Buffer.concat([block, fields([['content-length', '100']])]);
  return [
    { name: 'a connection that says nothing', start: nothing, trickle: nothing, closedMsMax: idleMsMax },
    { name: 'a head of a byte a second', start: nothing, trickle: whole, closedMsMax: headMsMax },
    { name: 'a head that stops', start: whole.subarray(0, 60), trickle: nothing, closedMsMax: headMsMax },
    {
      name: 'a head of a byte a second over TLS',
      start: nothing,
      trickle: whole,
      tls: 'http/1.1',
      closedMsMax: headMsMax,
    },
    {
      name: 'a TLS handshake of a byte a second',
      start: Buffer.from('160301', 'hex'),
      trickle: Buffer.alloc(200, 1),
      closedMsMax: headMsMax,
    },
    { name: 'an HTTP/2 preface of a byte a second', start: nothing, trickle: preface, closedMsMax: headMsMax },
    { name: 'a body that stops', start: whole.subarray(0, bodyAt + 10), trickle: nothing, closedMsMax: stallMsMax },
    {
      name: 'a body in chunks that stops',
      start: Buffer.concat([chunkedHead, Buffer.from('5\r\n{')]),
      trickle: nothing,
      closedMsMax: unknownMsMax,
      mayBeBusy: true,
    },
    {
      name: 'a body of a byte a second',
      start: whole.subarray(0, bodyAt),
      trickle: whole.subarray(bodyAt),
      closedMsMax: bodyMsMax,
    },
    {
      name: 'an HTTP/2 stream that is never ended',
      start: Buffer.concat([opening(), frame(frameTypes.headers, endHeaders, 1, declared)]),
      trickle: nothing,
      closedMsMax: stallMsMax,
    },
    {
      name: 'an HTTP/2 body of a byte a second',
      start: h2.subarray(0, h2BodyAt),
      trickle: h2.subarray(h2BodyAt),
      closedMsMax: bodyMsMax,
    },
    {
      name: 'an HTTP/2 connection that says no more than its preface',
      start: preface,
      trickle: nothing,
      closedMsMax: idleMsMax,
    },
    {
      name: 'HTTP/2 continuations of a byte a second',
      start: Buffer.concat([opening(), frame(frameTypes.headers, 0, 1, block)]),
      trickle: Buffer.alloc(200),
      closedMsMax: 90_000,
    },
  ];
}

/** Tells why it is wrong; undefined when the server has ended the connection, or the stream, in time. */
async function trickle(port: number, kind: SlowKind, delayMs: number): Promise<string | undefined> {
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  const startedMs = Date.now();
  const wire = new Wire(port, kind.tls);
  if (kind.start.length > 0) wire.socket.write(kind.start);
  let at = 0;
  const timer = setInterval(() => {
    if (at < kind.trickle.length && wire.socket.writable) wire.socket.write(kind.trickle.subarray(at, ++at));
  }, stepMs);
  try {
    const isReset = (): boolean => kind.start.includes(preface) && readHttp2(wire.received).endedStreams.size > 0;
    const isLate = await wire.until(isReset, kind.closedMsMax);
    if (isLate) return `still open after ${Date.now() - startedMs} ms`;
    const statuses =
      wire.received.toString('latin1', 0, 5) === 'HTTP/'
        ? readAnswers(wire.received).answers.map(({ status }) => status)
        : [];
    const right = kind.mayBeBusy === true ? [400, 408, 503] : [400, 408];
    return statuses.every((status) => right.includes(status)) ? undefined : `answered ${statuses.join(', ')}`;
  } finally {
    clearInterval(timer);
    wire.close();
  }
}
