import type { AppendEntry, AppendOutcome, LogEngine, ShardLogId } from '../../platform/src/log/engine.ts';
import { LogFullError, LogReadOnlyError } from '../../platform/src/log/errors.ts';
import type { SimDisk } from './sim-disk.ts';
import { readShard, type NamedBatch } from './test-batches.ts';
import type { CommandResult, TestCommand, TestMachine } from './test-machine.ts';

/** What is known of one batch or command of the run: `pending` until an answer came. */
type Known = 'pending' | 'stored' | 'rejected';

interface Tracked {
  readonly name: string;
  /** Place among all calls: both batches and commands. */
  readonly order: number;
  known: Known;
}

interface TrackedBatch extends Tracked {
  readonly place: string;
  /** Its shard existed at the call; otherwise it was rejected there and then, whether the answer came or not. */
  readonly hadPlace: boolean;
  readonly recordCount: number;
  baseOffset: number | undefined;
  timeMs: number | undefined;
  /** A reader has seen it. */
  isSeen: boolean;
}

interface TrackedCommand extends Tracked {
  readonly command: TestCommand;
  result: CommandResult | undefined;
}

/**
 * Knows from outside what the log has answered, and says whether what a start finds agrees with that:
 * acknowledged is there, refused is not, unknown is there at most once, nothing else is there, all in one order without holes.
 */
export class CrashOracle {
  storedCount = 0;
  #batches = new Map<string, TrackedBatch>();
  #commands = new Map<number, TrackedCommand>();
  /** Batches of each shard that earlier starts have found. */
  #confirmed = new Map<string, NamedBatch[]>();
  #confirmedCommands: number[] = [];
  #order = 0;
  #mayLoseStored = false;
  #isOver = true;
  #problem: Error | undefined;

  begin(): void {
    this.#batches = new Map();
    this.#commands = new Map();
    this.#isOver = this.#mayLoseStored = false;
  }

  /** Answers from now on are not looked at. */
  end({ mayLoseStored }: { mayLoseStored: boolean }): void {
    this.check();
    this.#isOver = true;
    this.#mayLoseStored = mayLoseStored;
  }

  /** While recovering from the death of a process in mode `os`. */
  powerWasCut(): void {
    this.#mayLoseStored = true;
  }

  appending(
    call: number,
    entries: readonly AppendEntry[],
    machine: TestMachine,
  ): (outcomes: readonly AppendOutcome[]) => void {
    const order = this.#order++;
    const tracked = entries.map((entry, i): TrackedBatch => {
      const { recordCount } = entry;
      const name = `${call}-${i}`;
      const place = placeOf(entry);
      const hadPlace = machine.find(entry) !== undefined;
      return {
        name,
        order,
        known: 'pending',
        place,
        hadPlace,
        recordCount,
        baseOffset: undefined,
        timeMs: undefined,
        isSeen: false,
      };
    });
    for (const batch of tracked) this.#batches.set(batch.name, batch);
    return (outcomes) => {
      if (this.#isOver) return;
      outcomes.forEach((outcome, i) => {
        const batch = tracked[i] as TrackedBatch;
        if (outcome.kind === 'unknown')
          this.#fail(
            `append ${batch.name} is unknown on a sound disk: ${String((outcome.cause.cause as Error).stack)}`,
          );
        batch.known = outcome.kind === 'stored' ? 'stored' : 'rejected';
        if (outcome.kind !== 'stored') return;
        this.storedCount++;
        batch.baseOffset = outcome.baseOffset;
        batch.timeMs = outcome.timeMs;
      });
    };
  }

  proposing(command: TestCommand): (result: unknown) => void {
    const tracked: TrackedCommand = {
      name: `command ${command.id}`,
      order: this.#order++,
      known: 'pending',
      command,
      result: undefined,
    };
    this.#commands.set(command.id, tracked);
    return (result) => {
      if (this.#isOver) return;
      if (result instanceof LogReadOnlyError || result instanceof LogFullError) tracked.known = 'rejected';
      else if (result instanceof Error) this.#fail(`${tracked.name} failed on a sound disk: ${result.stack}`);
      else {
        tracked.known = 'stored';
        tracked.result = result as CommandResult;
      }
    };
  }

  /** A reader has seen these before the crash. */
  seen(id: ShardLogId, batches: readonly NamedBatch[]): void {
    if (this.#isOver) return;
    for (const batch of batches) {
      const tracked = this.#batches.get(batch.name);
      const confirmed = this.#confirmed.get(placeOf(id))?.find((each) => each.name === batch.name);
      if (tracked === undefined && confirmed === undefined)
        this.#fail(`a reader saw ${batch.name}, which does not exist`);
      if (tracked?.known === 'rejected') this.#fail(`a reader saw ${batch.name}, which was rejected`);
      if (tracked !== undefined) {
        tracked.isSeen = true;
        tracked.baseOffset ??= batch.baseOffset;
      }
    }
  }

  watch(call: Promise<void>): void {
    call.catch((error: unknown) => {
      this.#problem ??= error as Error;
    });
  }

  /** @throws Error   what was noticed since the last time */
  check(): void {
    if (this.#problem !== undefined) throw this.#problem;
  }

  /** Compares what a start has found with what is known, and takes it as known from now on. */
  async verify(log: LogEngine, machine: TestMachine, disk: SimDisk): Promise<void> {
    const { damage, state, reason } = log.status();
    const mayBeFull = Number.isFinite(disk.capacityBytes);
    if (damage.length > 0 || (state !== 'ok' && !(mayBeFull && state === 'disk-full')))
      throw new Error(`the log is ${state} (${reason}), damage: ${damage.join('; ')}`);
    let newest = this.#verifyCommands(machine);
    const found = new Map<string, NamedBatch[]>();
    for (const shard of machine.shards) {
      const place = placeOf(shard);
      const batches = await readShard(log, shard);
      found.set(place, batches);
      this.#verifyShape(log, machine, shard, batches);
      for (const batch of batches) newest = Math.max(newest, this.#verifyBatch(place, batch));
      await this.#verifyTimes(log, shard, batches);
    }
    for (const place of this.#confirmed.keys()) this.#verifyConfirmed(place, machine, found.get(place) ?? []);
    this.#verifyNoneMissing(machine, found, newest);
    this.#confirm(machine, found);
    this.#batches = new Map();
    this.#commands = new Map();
  }

  /** The order of the newest command that was applied, or -1. */
  #verifyCommands(machine: TestMachine): number {
    const before = this.#confirmedCommands;
    if (before.some((id, i) => machine.applied[i] !== id))
      throw new Error('commands of earlier runs are not as they were');
    const applied = machine.applied.slice(before.length).map((id) => {
      const command = this.#commands.get(id);
      if (command === undefined) throw new Error(`command ${id} was applied and never proposed in this run, or twice`);
      if (command.known === 'rejected') throw new Error(`command ${id} was applied and had been rejected`);
      return command;
    });
    applied.forEach((command, i) => {
      if (i > 0 && command.order <= (applied[i - 1] as TrackedCommand).order)
        throw new Error(`${command.name} came out of order`);
    });
    return applied.at(-1)?.order ?? -1;
  }

  #verifyShape(
    log: LogEngine,
    machine: TestMachine,
    shard: TestMachine['shards'][number],
    batches: NamedBatch[],
  ): void {
    const place = placeOf(shard);
    const end = log.endOffset(shard);
    if (end === undefined) throw new Error(`${place} was provisioned and is absent`);
    if (shard.endOffset !== undefined && end !== shard.endOffset)
      throw new Error(`${place} was closed at ${shard.endOffset} and ends at ${end}`);
    batches.forEach((batch, i) => {
      const before = batches[i - 1];
      if (before !== undefined && before.baseOffset + before.recordCount !== batch.baseOffset) {
        throw new Error(`${place}: offset ${batch.baseOffset} follows ${before.baseOffset} + ${before.recordCount}`);
      }
      if (before !== undefined && before.timeMs > batch.timeMs)
        throw new Error(`${place}: time goes back at ${batch.baseOffset}`);
      if (batch.timeMs < machine.trimMs(shard.group))
        throw new Error(`${place}: ${batch.name} was trimmed and is there`);
    });
    const [first] = batches;
    if (first !== undefined && machine.trimMs(shard.group) === 0 && first.baseOffset !== 0)
      throw new Error(`${place} begins at ${first.baseOffset}`);
    const last = batches.at(-1);
    if (last !== undefined && last.baseOffset + last.recordCount !== end)
      throw new Error(`${place}: ends at ${end}, the newest batch is ${last.name}`);
  }

  /** The order of the call that brought it, or -1. */
  #verifyBatch(place: string, batch: NamedBatch): number {
    const tracked = this.#batches.get(batch.name);
    if (tracked === undefined) {
      if (this.#confirmed.get(place)?.some((each) => each.name === batch.name && each.baseOffset === batch.baseOffset))
        return -1;
      throw new Error(`${place}: ${batch.name} at ${batch.baseOffset} was never stored there`);
    }
    if (tracked.known === 'rejected') throw new Error(`${place}: ${batch.name} was rejected and is there`);
    if (tracked.place !== place || tracked.recordCount !== batch.recordCount)
      throw new Error(`${batch.name} is not itself`);
    if (tracked.baseOffset !== undefined && tracked.baseOffset !== batch.baseOffset)
      throw new Error(`${batch.name} moved to ${batch.baseOffset}`);
    if (tracked.timeMs !== undefined && tracked.timeMs !== batch.timeMs)
      throw new Error(`${batch.name} has another time`);
    return tracked.order;
  }

  async #verifyTimes(log: LogEngine, shard: ShardLogId, batches: readonly NamedBatch[]): Promise<void> {
    for (const batch of batches.filter((_, i) => i % 5 === 0)) {
      const first = batches.find((each) => each.timeMs >= batch.timeMs) as NamedBatch;
      const offset = await log.offsetAt(shard, batch.timeMs);
      if (offset !== first.baseOffset)
        throw new Error(`${placeOf(shard)}: offsetAt ${batch.timeMs} is ${offset}, not ${first.baseOffset}`);
    }
  }

  #verifyConfirmed(place: string, machine: TestMachine, found: readonly NamedBatch[]): void {
    const [group, shard] = place.split('/').map(Number) as [number, number];
    if (machine.find({ group, shard }) === undefined) return;
    const names = new Map(found.map((batch) => [batch.name, batch]));
    for (const batch of this.#confirmed.get(place) ?? []) {
      if (batch.timeMs < machine.trimMs(group)) continue;
      const now = names.get(batch.name);
      if (now?.baseOffset !== batch.baseOffset)
        throw new Error(
          `${place}: ${batch.name} at ${batch.baseOffset} was there and is ${now ? 'elsewhere' : 'gone'}`,
        );
    }
  }

  /** What must be there is there, and the log was cut at one point of the order. */
  #verifyNoneMissing(machine: TestMachine, found: ReadonlyMap<string, readonly NamedBatch[]>, newest: number): void {
    const applied = new Set(machine.applied);
    const isRequired = (each: Tracked, isSeen: boolean): boolean =>
      each.order < newest || ((each.known === 'stored' || isSeen) && !this.#mayLoseStored);
    for (const command of this.#commands.values()) {
      if (command.known !== 'rejected' && isRequired(command, false) && !applied.has(command.command.id)) {
        throw new Error(
          `${command.name} (${command.command.kind}) is ${command.known} and gone; the newest found is call ${newest}`,
        );
      }
    }
    const names = new Set([...found.values()].flatMap((batches) => batches.map((batch) => batch.name)));
    for (const batch of this.#batches.values()) {
      if (batch.known === 'rejected' || names.has(batch.name) || !isRequired(batch, batch.isSeen)) continue;
      const [group, shard] = batch.place.split('/').map(Number) as [number, number];
      const log = machine.find({ group, shard });
      // Of a pending one it is not known when it would have arrived, nor whether the end of its shard came first.
      const mayBeAway = log === undefined || (batch.timeMs ?? 0) < machine.trimMs(group);
      if (mayBeAway || (batch.known === 'pending' && (log.endOffset !== undefined || !batch.hadPlace))) continue;
      throw new Error(
        `${batch.place}: ${batch.name} is ${batch.known}${batch.isSeen ? ', was read' : ''} and gone; the newest found is call ${newest}`,
      );
    }
  }

  #confirm(machine: TestMachine, found: Map<string, NamedBatch[]>): void {
    this.#confirmedCommands = [...machine.applied];
    // What was not found now must never be.
    this.#confirmed = found;
  }

  #fail(message: string): void {
    this.#problem ??= new Error(message);
  }
}

function placeOf({ group, shard }: ShardLogId): string {
  return `${group}/${shard}`;
}
