export type { DeadLetters } from './dead-letters.ts';
export { ClosedError, Producer, type RecordToPut } from './producer.ts';
export type { KplSettings } from './kpl-settings.ts';
export type { ProducerCall, ProducerMetrics, Summary } from './metrics.ts';
export type { ProducerOptions, ProducerSettings } from './settings.ts';
export type { ProducerTuning } from './tuning.ts';
export { type Acknowledgement, type Attempt, type Place, PutError, type Ticket } from './ticket.ts';
export type { SpoolOptions, SpoolSync } from './spool/spool.ts';
export { SpoolClosedError, SpoolFailedError, SpoolFullError, SpoolLockedError } from './spool/errors.ts';
