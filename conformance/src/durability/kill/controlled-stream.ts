import { NoAnswerError, type Connection, type Reply } from '../connection.ts';
import type { Ledger, StreamBook } from './ledger.ts';

/** What control calls change of a stream; undefined is: there is none. */
export interface StreamFacts {
  readonly shardCount: number;
  readonly retentionHours: number;
  readonly tags: Readonly<Record<string, string>>;
}

/** A stream of which one worker makes the control calls, one at a time: so at most one is unanswered at a kill. */
export class ControlledStream {
  readonly name: string;
  facts: StreamFacts | undefined;
  book: StreamBook | undefined;
  /** Of the stream of this name that was deleted last. */
  former: StreamBook | undefined;
  /** The call under way, or that a kill left unanswered, and what it makes of the stream. */
  pending: { readonly call: string; readonly after: StreamFacts | undefined } | undefined;
  /** A caller was told that it is not there, after a DeleteStream had been sent. */
  isSeenGone = false;

  constructor(name: string) {
    this.name = name;
  }

  /** A DeleteStream has been sent. */
  get isEnding(): boolean {
    return this.facts === undefined || (this.pending !== undefined && this.pending.after === undefined);
  }

  /** Makes a call of which success is expected; false when no answer came. */
  async change(
    { connection, ledger }: { connection: Connection; ledger: Ledger },
    { operation, input, after }: { operation: string; input: object; after: StreamFacts | undefined },
  ): Promise<boolean> {
    this.pending = { call: operation, after };
    let reply: Reply;
    try {
      reply = await connection.call(operation, { StreamName: this.name, ...input });
    } catch (error) {
      if (error instanceof NoAnswerError) return false;
      throw error;
    }
    ledger.counts.controlCalls++;
    if (reply.status === 200) this.facts = after;
    else
      ledger.violate(
        `${operation} on ${this.name} answered ${reply.status} ${reply.type}: ${String(reply.body['message'])}`,
      );
    this.pending = undefined;
    return reply.status === 200;
  }

  /** Compares with what the server has after a restart, and goes on from there. */
  compare(found: StreamFacts | undefined, ledger: Ledger): void {
    const { name, pending } = this;
    const is = textOf(found);
    const isAsBefore = is === textOf(this.facts);
    const isAsAfter = pending !== undefined && is === textOf(pending.after);
    if (!isAsBefore && !isAsAfter) {
      const otherwise = pending === undefined ? '' : ` or, ${pending.call} being unanswered, ${textOf(pending.after)}`;
      ledger.violate(`stream ${name} is ${is} and should be ${textOf(this.facts)}${otherwise}`);
    }
    if (pending !== undefined) ledger.counts[isAsAfter ? 'controlApplied' : 'controlNotApplied']++;
    if (this.isSeenGone && found !== undefined)
      ledger.violate(`stream ${name} is there, and a put had been told that it is gone`);
    this.facts = found;
    this.pending = undefined;
    this.isSeenGone = false;
  }
}

function textOf(facts: StreamFacts | undefined): string {
  if (facts === undefined) return 'absent';
  const tags = Object.entries(facts.tags).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([facts.shardCount, facts.retentionHours, tags]);
}

/** What the server has of a stream now. */
export async function readFacts(connection: Connection, name: string): Promise<StreamFacts | undefined> {
  const reply = await connection.call('DescribeStreamSummary', { StreamName: name });
  if (reply.type === 'ResourceNotFoundException') return undefined;
  const summary = reply.body['StreamDescriptionSummary'] as
    | { OpenShardCount: number; RetentionPeriodHours: number; StreamStatus: string }
    | undefined;
  if (reply.status !== 200 || summary?.StreamStatus !== 'ACTIVE') {
    throw new Error(`DescribeStreamSummary of ${name} answered ${reply.status} ${reply.type} ${summary?.StreamStatus}`);
  }
  const { Tags } = (await connection.mustCall('ListTagsForStream', { StreamName: name })) as {
    Tags: ReadonlyArray<{ Key: string; Value: string }>;
  };
  const tags = Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value]));
  return { shardCount: summary.OpenShardCount, retentionHours: summary.RetentionPeriodHours, tags };
}
