import { assert } from '../kernel/assert.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogControl, LogEngine, StateMachine } from '../log/index.ts';

/** What a domain has at hand while it applies a command. */
export interface ApplyContext {
  /** The time the command was proposed at, milliseconds since the epoch; the only time `apply` may know. */
  readonly timeMs: number;
  readonly log: LogControl;
  /** A number no incarnation of anything has had before. */
  nextIncarnation(): number;
}

/**
 * The control-plane state of one service: a deterministic function of its commands in log order.
 * Preconditions are looked at in `apply`, not before: that is what makes them hold when calls are concurrent.
 */
export interface CatalogDomain<Command, Outcome> {
  readonly name: string;
  /** Must not throw, read a clock, or do anything that a replay would do differently. */
  apply(command: Command, context: ApplyContext): Outcome;
  /** Plain data, from which {@link CatalogDomain.restore} makes the same state. */
  snapshot(): unknown;
  restore(snapshot: unknown): void;
}

interface Envelope {
  readonly domain: string;
  readonly timeMs: number;
  readonly command: unknown;
}

interface Snapshot {
  readonly lastIncarnation: number;
  readonly domains: Readonly<Record<string, unknown>>;
}

/** All control-plane state of the server: the domains of the services, moved by commands in the order of the log. */
export class Catalog implements StateMachine {
  readonly #clock: Clock;
  readonly #domains: Map<string, CatalogDomain<unknown, unknown>>;
  #lastIncarnation = 0;
  #log: LogEngine | undefined;

  constructor(clock: Clock, domains: ReadonlyArray<CatalogDomain<never, unknown>>) {
    this.#clock = clock;
    this.#domains = new Map(domains.map((each) => [each.name, each as CatalogDomain<unknown, unknown>]));
  }

  /** Commands go to this log from now on; the one this catalog was recovered from. */
  attach(log: LogEngine): void {
    this.#log = log;
  }

  /**
   * Resolves with what the domain's `apply` returned, after the command is durable.
   *
   * @throws LogReadOnlyError, LogFullError   certainly not applied
   * @throws OutcomeUnknownError   it may be applied after the next start
   */
  async propose<Command, Outcome>(domain: CatalogDomain<Command, Outcome>, command: Command): Promise<Outcome> {
    assert(this.#log !== undefined, 'the catalog is attached to a log');
    const envelope: Envelope = { domain: domain.name, timeMs: this.#clock.now(), command };
    return (await this.#log.propose(Buffer.from(JSON.stringify(envelope)))) as Outcome;
  }

  apply(bytes: Uint8Array, log: LogControl): unknown {
    const { domain, timeMs, command } = JSON.parse(Buffer.from(bytes).toString()) as Envelope;
    const target = this.#domains.get(domain);
    assert(target !== undefined, `the catalog has a domain ${domain}`);
    return target.apply(command, { timeMs, log, nextIncarnation: () => ++this.#lastIncarnation });
  }

  snapshot(): Uint8Array {
    const domains = Object.fromEntries([...this.#domains].map(([name, domain]) => [name, domain.snapshot()]));
    return Buffer.from(JSON.stringify({ lastIncarnation: this.#lastIncarnation, domains } satisfies Snapshot));
  }

  restore(bytes: Uint8Array): void {
    const snapshot = JSON.parse(Buffer.from(bytes).toString()) as Snapshot;
    this.#lastIncarnation = snapshot.lastIncarnation;
    for (const [name, domain] of this.#domains) {
      if (snapshot.domains[name] !== undefined) domain.restore(snapshot.domains[name]);
    }
  }
}
