import { silentLogger } from '../../platform/src/kernel/logger.ts';
import { openEmbeddedLog, type EmbeddedOptions } from '../../platform/src/log/embedded.ts';
import type { AppendOutcome, LogEngine } from '../../platform/src/log/engine.ts';
import { CrashOracle } from './crash-oracle.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimClock, tick } from './sim-clock.ts';
import { SimDisk } from './sim-disk.ts';
import { namedBatch, nameOf, readAll } from './test-batches.ts';
import { propose, TestMachine, type TestCommand } from './test-machine.ts';

export interface CrashOptions {
  readonly seed: number;
  readonly durability: 'fsync' | 'os';
}

export interface CrashReport {
  readonly runs: number;
  readonly crashes: number;
  readonly crashesInRecovery: number;
  readonly stored: number;
  /** Steps of the disk in each run: differs when two histories do. */
  readonly trace: readonly number[];
}

const groupsMax = 3;
const shardsMax = 4;

/**
 * Runs the embedded engine on a simulated disk under a random load, ends the run at a random step of the disk, recovers on what
 * is left, and compares with an oracle that stands outside; several times over.
 *
 * @throws Error   saying what does not hold; the same options give the same history
 */
export async function runCrashes(options: CrashOptions): Promise<CrashReport> {
  const world = new CrashWorld(options);
  await world.run();
  return world;
}

class CrashWorld implements CrashReport {
  runs = 0;
  crashes = 0;
  crashesInRecovery = 0;
  readonly trace: number[] = [];
  readonly #random: SeededRandom;
  readonly #durability: 'fsync' | 'os';
  readonly #limits: NonNullable<EmbeddedOptions['limits']>;
  readonly #oracle: CrashOracle;
  #disk: SimDisk;
  #clock: SimClock = new SimClock();
  #nextId = 1;
  #lastGroup = 0;

  constructor({ seed, durability }: CrashOptions) {
    this.#random = new SeededRandom(seed);
    this.#durability = durability;
    this.#oracle = new CrashOracle();
    const capacityBytes = this.#random.chance(0.2) ? this.#random.between(80, 140) * 1024 : Infinity;
    this.#disk = new SimDisk(this.#random.fork(), { isSlow: true, capacityBytes });
    this.#limits = smallLimits(this.#random);
  }

  get stored(): number {
    return this.#oracle.storedCount;
  }

  async run(): Promise<void> {
    const runs = this.#random.between(2, 5);
    for (let i = 0; i < runs; i++) await this.#oneRun();
    await this.#open(0);
  }

  async #oneRun(): Promise<void> {
    const { log, machine } = await this.#open(this.#random.chance(0.4) ? this.#random.between(1, 3) : 0);
    this.runs++;
    this.#oracle.begin();
    this.#disk.stopAtStep = this.#disk.steps + this.#random.between(1, this.#random.pick([30, 300, 1500]));
    const callsMax = this.#random.pick([5, 40, 120]);
    const clients = Array.from({ length: this.#random.between(1, 6) }, () => this.#client(log, machine, callsMax));
    const finished = Promise.all(clients).then(async () => {
      if (this.#random.chance(0.5)) await log.close();
    });
    await this.#untilDone(finished);
    this.#crash(true);
  }

  /** Opens and verifies; before that, opens `failures` times only to crash while it recovers. */
  async #open(failures: number): Promise<{ log: LogEngine; machine: TestMachine }> {
    for (let i = 0; i < failures; i++) {
      this.#disk.stopAtStep = this.#disk.steps + this.#random.between(1, this.#random.pick([20, 100, 400]));
      const opened = this.#tryOpen();
      await this.#untilDone(opened);
      if (this.#disk.isStopped) this.crashesInRecovery++;
      else if (this.#random.chance(0.3)) {
        this.#disk.stopAtStep = Infinity;
        const { log, machine } = await opened;
        await this.#oracle.verify(log, machine, this.#disk);
      }
      this.#crash(false);
    }
    const opening = this.#tryOpen();
    await this.#untilDone(opening);
    const opened = await opening;
    await this.#oracle.verify(opened.log, opened.machine, this.#disk);
    return opened;
  }

  /** Resolves when `work` has or the disk has stopped; rejects when nothing goes on any more. */
  async #untilDone(work: Promise<unknown>): Promise<void> {
    const disk = this.#disk;
    let isDone = false;
    void work.catch(() => undefined).then(() => (isDone = true));
    let steps = disk.steps;
    let idleTurns = 0;
    while (!isDone && !disk.isStopped) {
      await tick();
      idleTurns = disk.steps === steps ? idleTurns + 1 : 0;
      steps = disk.steps;
      if (idleTurns % 100 === 99) this.#clock.advance(1000);
      if (idleTurns > 1000) throw new Error('everything waits and nothing happens');
    }
    if (isDone) await work;
  }

  async #tryOpen(): Promise<{ log: LogEngine; machine: TestMachine }> {
    const machine = new TestMachine();
    this.#clock = new SimClock(this.#clock.now() + this.#random.between(-500, 2000));
    const log = await openEmbeddedLog({
      disk: this.#disk,
      clock: this.#clock,
      random: this.#random.fork(),
      logger: silentLogger,
      machine,
      durability: this.#durability,
      limits: this.#limits,
    });
    return { log, machine };
  }

  #crash(isRun: boolean): void {
    this.crashes++;
    this.trace.push(this.#disk.steps);
    const isKill = this.#random.chance(this.#durability === 'os' ? 0.6 : 0.25);
    if (isRun) this.#oracle.end({ mayLoseStored: this.#durability === 'os' && !isKill });
    else if (!isKill && this.#durability === 'os') this.#oracle.powerWasCut();
    this.#disk = isKill ? this.#disk.kill() : this.#disk.powerCut();
  }

  async #client(log: LogEngine, machine: TestMachine, callsMax: number): Promise<void> {
    const random = this.#random.fork();
    const disk = this.#disk;
    for (let i = 0; i < callsMax && !disk.isStopped; i++) {
      const kind = random.below(100);
      // What is not awaited overtakes nothing: calls take their place when they are made.
      const call =
        kind < 70 || machine.shards.length === 0
          ? this.#append(log, machine, random)
          : kind < 85
            ? this.#command(log, machine, random)
            : this.#read(log, machine, random);
      if (random.chance(0.6)) await call;
      else this.#oracle.watch(call);
      if (random.chance(0.3)) await tick();
      if (random.chance(0.1)) this.#clock.advance(random.pick([1, 50, 600, 1500]));
      if (random.chance(0.03)) this.#clock.set(this.#clock.now() - random.below(5000));
      this.#oracle.check();
    }
  }

  async #append(log: LogEngine, machine: TestMachine, random: SeededRandom): Promise<void> {
    if (machine.shards.length === 0 || random.chance(0.05)) return this.#command(log, machine, random, 'provision');
    const call = this.#nextId++;
    const entries = Array.from({ length: random.pick([1, 1, 1, 2, 5]) }, (_, i) => {
      const place = random.chance(0.97) ? random.pick(machine.shards) : { group: 1, shard: random.below(shardsMax) };
      const valueBytes = random.pick([0, 10, 40, 100, 300, 700]);
      return namedBatch(place, `${call}-${i}`, {
        records: random.pick([1, 1, 2, 7]),
        valueBytes: Math.ceil(valueBytes / 2),
      });
    });
    const pending = this.#oracle.appending(call, entries, machine);
    const outcomes: AppendOutcome[] = await log.append(entries);
    pending(outcomes);
    return undefined;
  }

  async #command(
    log: LogEngine,
    machine: TestMachine,
    random: SeededRandom,
    kind: TestCommand['kind'] = random.pick(['provision', 'provision', 'provision', 'close', 'trim', 'trim', 'drop']),
  ): Promise<void> {
    const id = this.#nextId++;
    const place = machine.shards.length > 0 ? random.pick(machine.shards) : { group: 1, shard: 0 };
    const command = this.#makeCommand(id, kind, place, machine, random);
    const pending = this.#oracle.proposing(command);
    try {
      pending(await propose(log, command));
    } catch (error) {
      pending(error);
    }
  }

  #makeCommand(
    id: number,
    kind: TestCommand['kind'],
    { group, shard }: { group: number; shard: number },
    machine: TestMachine,
    random: SeededRandom,
  ): TestCommand {
    switch (kind) {
      case 'provision': {
        const open = [...new Set(machine.shards.map((each) => each.group))];
        // The number of a dropped group is not used again.
        const isNew = open.length === 0 || (open.length < groupsMax && random.chance(0.3));
        return { id, kind, group: isNew ? ++this.#lastGroup : random.pick(open), shard: random.below(shardsMax) };
      }
      case 'close':
        return { id, kind, group, shard };
      case 'drop':
        return { id, kind, group };
      case 'trim':
        return { id, kind, group, timeMs: this.#clock.now() - random.below(3000) };
    }
  }

  async #read(log: LogEngine, machine: TestMachine, random: SeededRandom): Promise<void> {
    const place = random.pick(machine.shards);
    const end = log.endOffset(place) ?? 0;
    try {
      const from = random.below(end + 1);
      const page = await log.read(place, from, { ...readAll, bytesMax: random.pick([1, 500, 1e6]) });
      if (from < end && page.batches.length === 0 && page.startOffset < end)
        throw new Error('a page in the middle is empty');
      this.#oracle.seen(place, page.batches.map(nameOf));
    } catch (error) {
      if (machine.find(place) !== undefined) throw error;
    }
  }
}

/** So small that files roll, flushes overlap and caches overflow all the time. */
export function smallLimits(random: SeededRandom): NonNullable<EmbeddedOptions['limits']> {
  return {
    // The largest append takes about 13 KiB.
    fileBytes: random.pick([16, 24]) * 1024,
    firstFileBytes: 6 * 1024,
    filesMax: random.between(2, 4),
    commitBytesMax: random.pick([1, 1000, 4000]),
    pendingBytesMax: random.pick([4000, 64_000]),
    flushBytes: random.pick([500, 2000, 20_000]),
    tailBytesMax: random.pick([3000, 50_000]),
    blockBytes: random.pick([300, 1000, 5000]),
    chunkBytes: random.pick([1, 1500, 20_000]),
    segmentBytesMax: random.pick([500, 3000, 50_000]),
    openFilesMax: random.pick([1, 3, 100]),
    indexEntriesMax: random.pick([1, 30, 1000]),
    reserveBytes: 2048,
  };
}
