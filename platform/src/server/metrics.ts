import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { LogEngine } from '../log/index.ts';
import { fileKinds, type Distribution, type Meters } from './meters.ts';

export interface MetricsParts {
  readonly meters: Meters;
  readonly log: LogEngine;
  readonly version: string;
}

type LogState = ReturnType<LogEngine['status']>['state'];

const logStates: readonly LogState[] = ['ok', 'disk-full', 'read-only'];

/**
 * Everything that `GET /_millrace/metrics` tells, in a registry of its own. Values are read at the scrape.
 * Loads prom-client, so it is itself loaded at the first scrape only.
 */
export function makeRegistry(parts: MetricsParts): Registry {
  const registry = new Registry();
  addCommits(registry, parts.meters);
  addWork(registry, parts.meters);
  addDisk(registry, parts.meters);
  addState(registry, parts);
  collectDefaultMetrics({ register: registry });
  return registry;
}

function addCommits(registry: Registry, meters: Meters): void {
  const add = adder(registry);
  add.counter('millrace_commits_total', 'Group commits since the start.', () => meters.commits);
  add.histogram('millrace_commit_bytes', 'Length of the journal frame of a group commit.', meters.commitBytes);
  add.histogram('millrace_commit_calls', 'Calls that a group commit answered.', meters.commitCalls);
  add.histogram(
    'millrace_journal_sync_seconds',
    'Time of a sync of the journal: before each answer (fsync), once a second (os), never (memory).',
    meters.journalSyncSeconds,
  );
  add.gauge('millrace_queue_bytes', 'Bytes that wait for a group commit.', () => meters.levels.queueBytes);
  add.gauge('millrace_queue_calls', 'Calls that wait for a group commit.', () => meters.levels.queueCalls);
  add.counter(
    'millrace_payload_bytes_total',
    'Bytes of record batches committed: data, partition keys and their encoding.',
    () => meters.batchBytes,
  );
}

function addWork(registry: Registry, meters: Meters): void {
  const add = adder(registry);
  add.gauge(
    'millrace_tail_bytes',
    'Memory of record batches that no segment holds yet.',
    () => meters.levels.tailBytes,
  );
  add.histogram(
    'millrace_flush_seconds',
    'Time of moving memory to the segments and syncing them, also as a part of a checkpoint.',
    meters.flushSeconds,
  );
  add.histogram(
    'millrace_checkpoint_seconds',
    'Time of a checkpoint, the flush in it included.',
    meters.checkpointSeconds,
  );
  add.gauge('millrace_recovery_seconds', 'Time of the recovery at this start.', () => meters.recoverySeconds);
  add.gauge(
    'millrace_recovered_commits',
    'Group commits that were replayed from the journal at this start.',
    () => meters.recoveredCommits,
  );
}

function addDisk(registry: Registry, meters: Meters): void {
  registry.registerMetric(
    new Counter({
      name: 'millrace_disk_written_bytes_total',
      help: 'Bytes handed to the disk by kind of file, the filling of new journal files included; other is the disk kept in reserve and the certificate.',
      labelNames: ['file'],
      registers: [],
      collect() {
        this.reset();
        for (const file of fileKinds) this.inc({ file }, meters.writtenBytes[file]);
      },
    }),
  );
  adder(registry).gauge(
    'millrace_open_files',
    'Files in the data folder that the server holds open.',
    () => meters.openFiles,
  );
}

function addState(registry: Registry, { log, version }: MetricsParts): void {
  adder(registry).counter(
    'millrace_damage_total',
    'Damage in the data folder found since the start, at most 100; health tells where.',
    () => log.status().damage.length,
  );
  registry.registerMetric(
    new Gauge({
      name: 'millrace_log_state',
      help: 'State of the log: 1 for the one that holds, 0 for the others.',
      labelNames: ['state'],
      registers: [],
      collect() {
        const { state: held } = log.status();
        for (const state of logStates) this.set({ state }, state === held ? 1 : 0);
      },
    }),
  );
  const build = new Gauge({
    name: 'millrace_build_info',
    help: 'The version, as a label; always 1.',
    labelNames: ['version'],
    registers: [registry],
  });
  build.set({ version }, 1);
}

interface Adder {
  counter(name: string, help: string, read: () => number): void;
  gauge(name: string, help: string, read: () => number): void;
  histogram(name: string, help: string, values: Distribution): void;
}

/** Metrics without labels, whose values are read at the scrape. */
function adder(registry: Registry): Adder {
  const registers: Registry[] = [];
  return {
    counter(name, help, read) {
      const collect = function (this: Counter): void {
        this.reset();
        this.inc(read());
      };
      registry.registerMetric(new Counter({ name, help, registers, collect }));
    },
    gauge(name, help, read) {
      const collect = function (this: Gauge): void {
        this.set(read());
      };
      registry.registerMetric(new Gauge({ name, help, registers, collect }));
    },
    histogram(name, help, values) {
      registry.registerMetric(new GatheredHistogram({ name, help, registers }, values));
    },
  };
}

type HistogramValues = Awaited<ReturnType<Histogram['get']>>;

/** A histogram whose counts were gathered elsewhere. */
class GatheredHistogram extends Histogram {
  readonly #described: { readonly name: string; readonly help: string };
  readonly #gathered: Distribution;

  constructor(config: { name: string; help: string; registers: Registry[] }, gathered: Distribution) {
    super({ ...config, buckets: [...gathered.bounds] });
    this.#described = config;
    this.#gathered = gathered;
  }

  override get(): Promise<HistogramValues> {
    const { name, help } = this.#described;
    const { bounds, counts, sum } = this.#gathered;
    let count = 0;
    const values: HistogramValues['values'] = bounds.map((le, i) => {
      count += counts[i] as number;
      return { metricName: `${name}_bucket`, labels: { le }, value: count };
    });
    count += counts[bounds.length] as number;
    values.push(
      { metricName: `${name}_bucket`, labels: { le: '+Inf' }, value: count },
      { metricName: `${name}_sum`, labels: {}, value: sum },
      { metricName: `${name}_count`, labels: {}, value: count },
    );
    const metric = { name, help, type: 'histogram', values, aggregator: 'sum' };
    return Promise.resolve(metric as unknown as HistogramValues);
  }

  /** What the registry asks in place of `get` where there is one; the library's types do not tell. */
  getForPromString(): Promise<HistogramValues> {
    return this.get();
  }
}
