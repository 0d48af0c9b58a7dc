import {
  InternalFailureException,
  InvalidArgumentException,
  LimitExceededException,
  ResourceInUseException,
  ResourceNotFoundException,
  type WireError,
} from '../model/index.ts';
import type { RejectReason } from '../log/index.ts';
import type { StreamsContext } from './context.ts';
import { formatShardId } from './shard/shard-id.ts';
import type { StreamsCommand, StreamsOutcome, StreamsRefusal } from './state/domain.ts';
import type { Stream } from './state/stream.ts';

/** Names of what an error message speaks of. */
export interface Subject {
  readonly name: string;
  readonly account: string;
}

export function streamNotFound({ name, account }: Subject): ResourceNotFoundException {
  return new ResourceNotFoundException(`Stream ${name} under account ${account} not found.`);
}

export function shardNotFound(shard: string, { name, account }: Subject): ResourceNotFoundException {
  return new ResourceNotFoundException(`Shard ${shard} in stream ${name} under account ${account} does not exist`);
}

export function streamNotActive(stream: Stream, nowMs: number): ResourceInUseException {
  const { name, account } = stream.record;
  return new ResourceInUseException(
    `Stream ${name} under account ${account} not ACTIVE, instead in state ${stream.status(nowMs)}`,
  );
}

export function rateExceeded(shard: number, { name, account }: Subject): string {
  return `Rate exceeded for shard ${formatShardId(shard)} in stream ${name} under account ${account}.`;
}

/** What a put is told when the log did not take its record. */
export function rejectedPut(reason: RejectReason): string {
  switch (reason) {
    case 'disk-full':
      return 'The disk of the data folder is full. Nothing was stored; try again when there is room.';
    case 'read-only':
      return 'The server takes no records: writing to its data folder failed. It needs a restart.';
    case 'overloaded':
      return 'The server is overloaded. Nothing was stored; try again.';
    case 'absent':
    case 'closed':
      return 'The shard took no more records. Nothing was stored; try again.';
  }
}

/** A record that may or may not be stored. */
export function unknownPut(): InternalFailureException {
  return new InternalFailureException('Writing failed while the record was being stored; it may or may not have been.');
}

/**
 * Proposes a command on a stream and answers for what became of it.
 *
 * @throws the wire error that the API has for the refusal
 */
export async function propose(context: StreamsContext, command: StreamsCommand, subject: Subject): Promise<void> {
  let outcome: StreamsOutcome;
  try {
    outcome = await context.catalog.propose(context.domain, command);
  } catch (error) {
    throw new InternalFailureException((error as Error).message, { cause: error });
  }
  if (outcome !== 'done') throw refusalError(outcome, command, subject, context);
}

function refusalError(
  refusal: StreamsRefusal,
  command: StreamsCommand,
  subject: Subject,
  context: StreamsContext,
): WireError {
  const { name, account } = subject;
  switch (refusal) {
    case 'exists':
      return new ResourceInUseException(`Stream ${name} under account ${account} already exists.`);
    case 'absent':
      return streamNotFound(subject);
    case 'not-active': {
      const stream = 'incarnation' in command ? context.domain.findByIncarnation(command.incarnation) : undefined;
      return stream === undefined ? streamNotFound(subject) : streamNotActive(stream, context.clock.now());
    }
    case 'changed':
      return new ResourceInUseException(
        `Stream ${name} under account ${account} not ACTIVE, instead in state UPDATING`,
      );
    case 'too-often':
      return new LimitExceededException(
        `Stream ${name} under account ${account} has had its shard count updated as often in 24 hours as is allowed.`,
      );
    case 'too-short':
    case 'too-long':
      return new InvalidArgumentException(
        `Requested retention period for stream ${name} can not be ${refusal === 'too-short' ? 'shorter' : 'longer'} than existing retention period.`,
      );
    case 'has-consumers':
      return new ResourceInUseException(
        `Stream ${name} under account ${account} has registered consumers. Deregister them, or set EnforceConsumerDeletion.`,
      );
    case 'consumer-exists':
      return new ResourceInUseException(
        `Consumer ${consumerOf(command)} of stream ${name} under account ${account} already exists.`,
      );
    case 'consumer-absent':
      return consumerNotFound(consumerOf(command), subject);
    case 'too-many-consumers':
    case 'too-many-creating':
      return new LimitExceededException(
        `Stream ${name} under account ${account} has as many consumers${refusal === 'too-many-creating' ? ' in state CREATING' : ''} as are allowed.`,
      );
    case 'too-many-tags':
      return new InvalidArgumentException(
        `Failed to add tags to stream ${name} under account ${account} because a given stream cannot have more than 50 tags associated with it.`,
      );
  }
}

function consumerOf(command: StreamsCommand): string {
  if ('name' in command) return command.name;
  return 'consumer' in command ? (command.consumer?.name ?? '') : '';
}

export function consumerNotFound(consumer: string, { account }: Subject): ResourceNotFoundException {
  return new ResourceNotFoundException(`Consumer ${consumer}, account ${account} not found.`);
}

/** A control call above its rate. */
export function controlRateExceeded(of: string): LimitExceededException {
  return new LimitExceededException(`Rate exceeded for ${of}.`);
}
