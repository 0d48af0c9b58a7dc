import { expect } from 'vitest';
import type { AppendEntry, AppendOutcome, LogEngine, ShardLogId } from '../../platform/src/log/engine.ts';
import { OutcomeUnknownError } from '../../platform/src/log/errors.ts';
import type { SimClock } from './sim-clock.ts';
import { namedBatch, readShard, type NamedBatch } from './test-batches.ts';
import { propose, TestMachine, type CommandResult, type TestCommand } from './test-machine.ts';

export interface ContractSubject {
  readonly log: LogEngine;
  readonly clock: SimClock;
  /** Nothing becomes durable until the returned function is called; for engines that can be held. */
  hold?(): () => void;
  /** Releases everything, after the log was closed. */
  end?(): void;
}

/** Opens a new, empty log. */
export type ContractFactory = (machine: TestMachine) => Promise<ContractSubject>;

type Omitted<T> = T extends unknown ? Omit<T, 'id'> : never;

/** A log under test with what it was told and what it answered. */
export class Subject {
  readonly machine: TestMachine = new TestMachine();
  readonly log: LogEngine;
  readonly clock: SimClock;
  readonly hold: (() => () => void) | undefined;
  #names = 0;
  #commands = 0;
  readonly #end: (() => void) | undefined;

  private constructor(subject: ContractSubject, machine: TestMachine) {
    this.machine = machine;
    this.log = subject.log;
    this.clock = subject.clock;
    this.hold = subject.hold?.bind(subject);
    this.#end = subject.end?.bind(subject);
  }

  static async open(factory: ContractFactory): Promise<Subject> {
    const machine = new TestMachine();
    return new Subject(await factory(machine), machine);
  }

  async close(): Promise<void> {
    await this.log.close();
    this.#end?.();
  }

  /** Proposes until the outcome is known. The machine takes a command twice without harm. */
  async command(command: Omitted<TestCommand>): Promise<CommandResult> {
    const id = ++this.#commands;
    for (;;) {
      try {
        return await propose(this.log, { ...command, id } as TestCommand);
      } catch (error) {
        if (!(error instanceof OutcomeUnknownError)) throw error;
      }
    }
  }

  async provision(group = 1, shards = 1): Promise<ShardLogId[]> {
    const ids = Array.from({ length: shards }, (_, shard) => ({ group, shard }));
    for (const id of ids) await this.command({ kind: 'provision', ...id });
    return ids;
  }

  batch(id: ShardLogId, options: { records?: number; valueBytes?: number } = {}): Sent {
    const name = `b${++this.#names}`;
    const { records = 1, valueBytes = 20 } = options;
    return { name, id, entry: namedBatch(id, name, { records, valueBytes }), outcome: undefined };
  }

  /** Appends in one call; the outcomes are noted in what was sent. */
  async append(...sent: Sent[]): Promise<void> {
    const outcomes = await this.log.append(sent.map((each) => each.entry));
    expect(outcomes).toHaveLength(sent.length);
    outcomes.forEach((outcome, i) => {
      (sent[i] as Sent).outcome = outcome;
    });
  }

  /** Appends new batches like it until one is stored. */
  async store(id: ShardLogId, options: { records?: number; valueBytes?: number } = {}): Promise<NamedBatch> {
    for (;;) {
      const sent = this.batch(id, options);
      await this.append(sent);
      const { outcome, name } = sent;
      if (outcome?.kind === 'stored') {
        return { name, recordCount: sent.entry.recordCount, baseOffset: outcome.baseOffset, timeMs: outcome.timeMs };
      }
    }
  }
}

/** An append and what became of it. */
export interface Sent {
  readonly name: string;
  readonly id: ShardLogId;
  readonly entry: AppendEntry;
  outcome: AppendOutcome | undefined;
}

/** What every engine keeps; see {@link LogEngine}. `sent` lists appends in the order of their calls. */
export async function expectKept({ log }: Subject, id: ShardLogId, sent: readonly Sent[]): Promise<NamedBatch[]> {
  const found = await readShard(log, id);
  let next = found[0]?.baseOffset ?? 0;
  for (const batch of found) {
    expect(batch.baseOffset, 'offsets are dense').toBe(next);
    next += batch.recordCount;
  }
  expect(log.endOffset(id)).toBe(next);
  const here = sent.filter((each) => each.id.group === id.group && each.id.shard === id.shard);
  const names = found.map((batch) => batch.name);
  expect(new Set(names).size, 'nothing is there twice').toBe(names.length);
  expect(names, 'in the order of the calls, and nothing else').toEqual(
    here.map((each) => each.name).filter((name) => names.includes(name)),
  );
  for (const { name, outcome } of here) {
    const batch = found.find((each) => each.name === name);
    if (outcome?.kind === 'stored')
      expect(batch).toMatchObject({ baseOffset: outcome.baseOffset, timeMs: outcome.timeMs });
    if (outcome?.kind === 'rejected') expect(batch, `${name} was rejected`).toBeUndefined();
  }
  return found;
}
