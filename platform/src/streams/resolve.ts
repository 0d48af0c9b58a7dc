import { AccessDeniedException, InvalidArgumentException } from '../model/index.ts';
import type { Caller, StreamsContext } from './context.ts';
import type { RateLimitName } from './limits.ts';
import type { Stream } from './state/stream.ts';
import { controlRateExceeded, streamNotActive, streamNotFound } from './wire-errors.ts';

/** How a request names a stream. */
export interface StreamReference {
  readonly StreamName?: string | undefined;
  readonly StreamARN?: string | undefined;
  readonly StreamId?: string | undefined;
}

interface StreamArn {
  readonly region: string;
  readonly account: string;
  readonly name: string;
}

/** Undefined when the text is no stream's ARN. A consumer's ARN names its stream, too. */
export function parseStreamArn(arn: string): StreamArn | undefined {
  const match = /^arn:[^:]+:kinesis:([^:]*):(\d{12}):stream\/([^/\s]+)/.exec(arn);
  if (match === null) return undefined;
  const [, region, account, name] = match as unknown as [string, string, string, string];
  return { region, account, name };
}

/**
 * Finds the stream that a request names by name, ARN or id; what is given together must agree.
 *
 * @throws InvalidArgumentException, ResourceNotFoundException, AccessDeniedException
 */
export function resolveStream(context: StreamsContext, reference: StreamReference, caller: Caller): Stream {
  const { StreamName: name, StreamARN: arn, StreamId: id } = reference;
  if (name !== undefined && arn === undefined && id === undefined) return resolveByName(context, name, caller);
  if (name === undefined && arn === undefined) return resolveById(context, id, caller);
  const { account, region } = caller;
  const wanted = arn === undefined ? { account, region, name: name as string } : ownedArn(arn, caller);
  if (name !== undefined && name !== wanted.name) {
    throw new InvalidArgumentException(`StreamName ${name} does not match StreamARN ${arn}.`);
  }
  const stream = context.domain.find(wanted, wanted.name);
  const byId = id === undefined ? stream : context.domain.findByStreamId(id);
  if (stream !== byId) {
    throw new InvalidArgumentException(
      `StreamId ${id} is not that of stream ${wanted.name} under account ${wanted.account}.`,
    );
  }
  if (stream === undefined) throw streamNotFound(wanted);
  return stream;
}

/** As {@link resolveStream}, for an operation that writes to or reads from the stream. A stream still CREATING is not there yet. */
export function resolveForData(context: StreamsContext, reference: StreamReference, caller: Caller): Stream {
  const stream = resolveStream(context, reference, caller);
  if (stream.status(context.clock.now()) === 'CREATING') throw streamNotFound(stream.record);
  return stream;
}

/** As {@link resolveStream}, for an operation that changes the stream. @throws ResourceInUseException when it is not ACTIVE */
export function resolveActive(context: StreamsContext, reference: StreamReference, caller: Caller): Stream {
  const stream = resolveStream(context, reference, caller);
  const nowMs = context.clock.now();
  if (stream.status(nowMs) !== 'ACTIVE') throw streamNotActive(stream, nowMs);
  return stream;
}

/** Counts a call against the caller's account, or against one stream. @throws LimitExceededException */
export function countCall(context: StreamsContext, limit: RateLimitName, by: Caller | Stream): void {
  if (!context.throttle.isLimited(limit)) return;
  const isStream = 'record' in by;
  const of = isStream ? String(by.record.incarnation) : `${by.account}/${by.region}`;
  if (context.throttle.take([{ limit, of, amount: 1 }])) return;
  const whom = isStream ? `stream ${by.record.name} under account ${by.record.account}` : `account ${by.account}`;
  throw controlRateExceeded(whom);
}

/** The common way, and the shortest: it is gone for each put. */
function resolveByName(context: StreamsContext, name: string, caller: Caller): Stream {
  const stream = context.domain.find(caller, name);
  if (stream === undefined) throw streamNotFound({ name, account: caller.account });
  return stream;
}

function resolveById(context: StreamsContext, id: string | undefined, caller: Caller): Stream {
  if (id === undefined) throw new InvalidArgumentException('Either StreamARN or StreamName must be provided.');
  const stream = context.domain.findByStreamId(id);
  const isOwn = stream?.record.account === caller.account && stream.record.region === caller.region;
  if (stream === undefined || !isOwn) throw streamNotFound({ name: id, account: caller.account });
  return stream;
}

/** @throws AccessDeniedException for another account's stream: no resource policies yet, so nothing allows it */
function ownedArn(arn: string, caller: Caller): StreamArn {
  const parsed = parseStreamArn(arn);
  if (parsed === undefined) throw new InvalidArgumentException(`StreamARN ${arn} is not the ARN of a stream.`);
  if (parsed.account !== caller.account) {
    throw new AccessDeniedException(
      `User: arn:aws:iam::${caller.account}:root is not authorized to perform: kinesis:${caller.operation} on resource: ${arn} ` +
        `because no resource-based policy allows the kinesis:${caller.operation} action`,
    );
  }
  if (parsed.region !== caller.region) throw streamNotFound(parsed);
  return parsed;
}
