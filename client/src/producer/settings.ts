import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { InvalidArgumentError } from '../errors.ts';
import type { DeadLetters } from './dead-letters.ts';
import { kplNames, type KplSettings } from './kpl-settings.ts';
import type { SpoolOptions } from './spool/options.ts';
import { bounds, defaults, type ProducerTuning } from './tuning.ts';

/** Everything that may be left out. */
export interface ProducerSettings extends Partial<ProducerTuning>, KplSettings {
  /** Where records go that could not be put. Default: nowhere; tickets tell all the same. */
  readonly deadLetters?: DeadLetters | undefined;
  /**
   * Keeps what has been accepted on disk until it has been put, through a crash of the process; what it left is put by the next producer with
   * that folder. Records still expire: see `recordTtlMs`, which may be `Infinity`.
   */
  readonly spool?: SpoolOptions | undefined;
}

export interface ProducerOptions extends ProducerSettings {
  /** Of the official SDK. Leave retries to the producer: `new KinesisClient({ maxAttempts: 1 })`. Not closed by the producer. */
  readonly client: KinesisClient;
  /** Name or ARN. */
  readonly stream: string;
}

/** Defaults filled in, KPL names taken, bounds checked. @throws InvalidArgumentError */
export function tuningOf(options: ProducerSettings): ProducerTuning {
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const own = Object.hasOwn(kplNames, name) ? kplNames[name as keyof KplSettings] : name;
    if (own !== name && Object.hasOwn(options, own)) {
      throw new InvalidArgumentError(`${name} is the KPL's name for ${own}: give one of them`);
    }
    if (Object.hasOwn(defaults, own)) given[own] = value;
  }
  const tuning = { ...defaults, ...given };
  for (const [name, value] of Object.entries(tuning)) check(name as keyof ProducerTuning, value);
  return tuning;
}

function check(name: keyof ProducerTuning, value: unknown): void {
  const wanted = typeof defaults[name];
  if (typeof value !== wanted) throw new InvalidArgumentError(`${name} is a ${wanted}, and not ${String(value)}`);
  if (name === 'ordering' && value !== 'none' && value !== 'perKey') {
    throw new InvalidArgumentError(`ordering is none or perKey, and not ${String(value)}`);
  }
  const [least, most] = bounds[name] ?? [];
  if (least === undefined || most === undefined) return;
  const number = value as number;
  if (!(number >= least && number <= most)) {
    throw new InvalidArgumentError(`${name} is from ${least} to ${most}, and not ${number}`);
  }
}
