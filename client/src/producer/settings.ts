import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { readTuning } from '../tuning.ts';
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
  const choices = { ordering: ['none', 'perKey'] };
  return readTuning(options, { defaults, bounds, choices, aliases: kplNames, aliasedBy: 'KPL' });
}
