import type { FinishedCall } from './settlement.ts';

/** Count, sum and bounds of something that was measured. */
export interface Summary {
  readonly count: number;
  readonly sum: number;
  readonly max: number;
}

/** Since the producer was opened, under the names that the KPL has. Source: monitoring.md of the KPL. */
export interface ProducerMetrics {
  readonly UserRecordsReceived: number;
  /** Accepted and not settled yet. */
  readonly UserRecordsPending: number;
  readonly UserRecordsPut: number;
  readonly UserRecordsDataPut: number;
  readonly UserRecordExpired: number;
  readonly KinesisRecordsPut: number;
  readonly KinesisRecordsDataPut: number;
  readonly AllErrors: number;
  readonly ErrorsByCode: Readonly<Record<string, number>>;
  readonly RetriesPerRecord: Summary;
  /** Milliseconds from acceptance to the first call. */
  readonly BufferingTime: Summary;
  /** Milliseconds of a call. */
  readonly RequestTime: Summary;
  readonly UserRecordsPerKinesisRecord: Summary;
  readonly KinesisRecordsPerPutRecordsRequest: Summary;
  readonly UserRecordsPerPutRecordsRequest: Summary;
  /** Bytes of memory that accepted records are counted as. */
  readonly BufferedBytes: number;
}

/** A finished PutRecords call, as it is published on the diagnostics channel `millrace:producer:call`. */
export interface ProducerCall {
  /** Name or ARN. */
  readonly stream: string;
  readonly durationMs: number;
  readonly kinesisRecords: number;
  readonly userRecords: number;
  /** Data of all. */
  readonly bytes: number;
  /** Of the Kinesis records that were not put: how many for each code. */
  readonly errors: Readonly<Record<string, number>>;
}

export function reportOf(stream: string, call: FinishedCall): ProducerCall {
  const { entries, startedMs, endedMs, results, failure } = call;
  const errors: Record<string, number> = {};
  for (const index of entries.keys()) {
    const result = results?.[index];
    if (result?.isPut === true) continue;
    const code = result?.code ?? failure?.code ?? 'Unknown';
    errors[code] = (errors[code] ?? 0) + 1;
  }
  return {
    stream,
    durationMs: endedMs - startedMs,
    kinesisRecords: entries.length,
    userRecords: entries.reduce((sum, { records }) => sum + records.length, 0),
    bytes: entries.reduce((sum, { data }) => sum + data.length, 0),
    errors,
  };
}

class Meter implements Summary {
  count = 0;
  sum = 0;
  max = 0;

  note(value: number): void {
    this.count++;
    this.sum += value;
    if (value > this.max) this.max = value;
  }

  get now(): Summary {
    return { count: this.count, sum: this.sum, max: this.max };
  }
}

/** Counts what a producer does. */
export class Metrics {
  received = 0;
  pending = 0;
  put = 0;
  dataPut = 0;
  expired = 0;
  #kinesisRecords = 0;
  #kinesisBytes = 0;
  #errors = 0;
  readonly #errorsByCode: Record<string, number> = {};
  readonly #retries = new Meter();
  readonly #buffering = new Meter();
  readonly #requests = new Meter();
  readonly #perKinesisRecord = new Meter();
  readonly #kinesisPerCall = new Meter();
  readonly #usersPerCall = new Meter();

  noteCall({ entries, startedMs, endedMs, results, failure }: FinishedCall): void {
    this.#requests.note(endedMs - startedMs);
    this.#kinesisPerCall.note(entries.length);
    let users = 0;
    for (const [index, { records, data }] of entries.entries()) {
      users += records.length;
      const [first] = records;
      if (first !== undefined && first.tries.length === 1) this.#buffering.note(startedMs - first.acceptedMs);
      const result = results?.[index];
      if (result?.isPut === true) {
        this.#kinesisRecords++;
        this.#kinesisBytes += data.length;
        this.#perKinesisRecord.note(records.length);
        this.#retries.note((first?.tries.length ?? 1) - 1);
        continue;
      }
      const code = result?.code ?? failure?.code ?? 'Unknown';
      this.#errors += records.length;
      this.#errorsByCode[code] = (this.#errorsByCode[code] ?? 0) + records.length;
    }
    this.#usersPerCall.note(users);
  }

  get now(): Omit<ProducerMetrics, 'BufferedBytes'> {
    return {
      UserRecordsReceived: this.received,
      UserRecordsPending: this.pending,
      UserRecordsPut: this.put,
      UserRecordsDataPut: this.dataPut,
      UserRecordExpired: this.expired,
      KinesisRecordsPut: this.#kinesisRecords,
      KinesisRecordsDataPut: this.#kinesisBytes,
      AllErrors: this.#errors,
      ErrorsByCode: { ...this.#errorsByCode },
      RetriesPerRecord: this.#retries.now,
      BufferingTime: this.#buffering.now,
      RequestTime: this.#requests.now,
      UserRecordsPerKinesisRecord: this.#perKinesisRecord.now,
      KinesisRecordsPerPutRecordsRequest: this.#kinesisPerCall.now,
      UserRecordsPerPutRecordsRequest: this.#usersPerCall.now,
    };
  }
}
