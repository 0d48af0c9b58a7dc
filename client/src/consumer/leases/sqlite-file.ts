import { randomUUID } from 'node:crypto';
import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { ClientError } from '../../errors.ts';
import { LeaseRows, type LeaseRow } from './rows.ts';
import type { LeaseTransaction } from './rules.ts';

export interface LeaseFileOptions {
  readonly file: string;
  readonly application: string;
}

/** For how long a lock is waited for, with the thread standing still. */
const busyMs = 25;

const schemaVersion = 1;

/**
 * A row of `leases` or `workers` has the `version` of the application at its last write, so that the newer rows are all that is new. A worker's
 * is its pulse. `deleted` is that of the last deletion of a lease, after which everything is read again.
 */
const schema = `
  CREATE TABLE applications (
    application TEXT PRIMARY KEY, version INTEGER NOT NULL, deleted INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE leases (
    application TEXT NOT NULL, shard_id TEXT NOT NULL, version INTEGER NOT NULL,
    owner TEXT, previous_owner TEXT, fence INTEGER NOT NULL, fence_before INTEGER NOT NULL, fence_by TEXT NOT NULL,
    sequence_number TEXT NOT NULL, sub_sequence_number INTEGER NOT NULL,
    parent_shard_ids TEXT NOT NULL, child_shard_ids TEXT NOT NULL, hash_key_start TEXT, hash_key_end TEXT,
    PRIMARY KEY (application, shard_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX leases_by_version ON leases (application, version);
  CREATE TABLE workers (
    application TEXT NOT NULL, worker TEXT NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (application, worker)
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${schemaVersion};`;

/** One connection to a file of leases, and what it has read of one application. Nothing here waits but for locks, and for those not long. */
export class LeaseFile {
  readonly #database: DatabaseSync;
  readonly #application: string;
  readonly #statements: Statements;
  readonly #rows = new LeaseRows();
  /** What the rows are of. */
  #version = -1;
  readonly #caller = randomUUID();

  /** @throws as SQLite does; may then be called again. @throws ClientError `MR_LEASES_VERSION` and `MR_LEASES_FOREIGN` */
  constructor({ file, application }: LeaseFileOptions) {
    this.#application = application;
    this.#database = new DatabaseSync(file, { timeout: busyMs });
    try {
      this.#prepareFile(file);
      this.#statements = statementsOf(this.#database);
      this.#inTransaction('BEGIN IMMEDIATE', () => {
        this.#statements.addApplication.run({ application });
        this.#statements.forgetWorkers.run({ application });
      });
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** Cheap when nothing has changed. */
  read(): LeaseRows {
    if (this.#applicationRow().version !== this.#version) this.#inTransaction('BEGIN', () => this.#refresh());
    return this.#rows;
  }

  /** What `work` has changed is on disk when this returns. When it throws, what was changed is most probably not there. */
  write<T>(work: (transaction: LeaseTransaction) => T): T {
    return this.#inTransaction('BEGIN IMMEDIATE', () => {
      this.#refresh();
      const changes = new Changes(this.#statements, this.#application, this.#version + 1);
      const result = work({
        version: changes.version,
        caller: this.#caller,
        row: (shardId) => this.#rows.row(shardId),
        pulseOf: (worker) => this.#rows.pulseOf(worker),
        put: (row) => changes.put(row),
        remove: (shardId) => changes.remove(shardId),
        beat: (worker) => changes.beat(worker),
      });
      changes.end();
      return result;
    });
  }

  close(): void {
    this.#database.close();
  }

  #prepareFile(file: string): void {
    const database = this.#database;
    // Before anything of the file is changed.
    refuseOthers(database, file);
    // The log is synced at each commit, on macOS through the cache of the disk as well.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON');
    this.#inTransaction('BEGIN IMMEDIATE', () => {
      if (refuseOthers(database, file) === 0) database.exec(schema);
    });
  }

  #applicationRow(): { readonly version: number; readonly deleted: number } {
    const row = this.#statements.application.get({ application: this.#application });
    return { version: Number(row?.['version']), deleted: Number(row?.['deleted']) };
  }

  /** In a transaction. */
  #refresh(): void {
    const { version, deleted } = this.#applicationRow();
    if (version === this.#version) return;
    const isWhole = deleted > this.#version;
    if (isWhole) this.#rows.clear();
    const after = { application: this.#application, version: isWhole ? -1 : this.#version };
    for (const row of this.#statements.leasesAfter.all(after)) this.#rows.put(rowOf(row));
    for (const { worker, version: pulse } of this.#statements.workersAfter.all(after))
      this.#rows.setPulse(String(worker), Number(pulse));
    this.#version = version;
  }

  #inTransaction<T>(begin: string, work: () => T): T {
    const database = this.#database;
    database.exec(begin);
    try {
      const result = work();
      database.exec('COMMIT');
      return result;
    } catch (error) {
      // After some errors SQLite has rolled back itself.
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }
}

/** The writes of one transaction. */
class Changes {
  readonly version: number;
  readonly #statements: Statements;
  readonly #application: string;
  #isChanged = false;
  #isDeleted = false;

  constructor(statements: Statements, application: string, version: number) {
    this.#statements = statements;
    this.#application = application;
    this.version = version;
  }

  put(row: LeaseRow): void {
    this.#isChanged = true;
    this.#statements.putLease.run({
      application: this.#application,
      shardId: row.shardId,
      version: this.version,
      owner: row.owner ?? null,
      previousOwner: row.previousOwner ?? null,
      fence: row.fence,
      fenceBefore: row.fenceBefore,
      fenceBy: row.fenceBy,
      sequenceNumber: row.checkpoint.sequenceNumber,
      subSequenceNumber: row.checkpoint.subSequenceNumber,
      parentShardIds: JSON.stringify(row.parentShardIds),
      childShardIds: JSON.stringify(row.childShardIds),
      hashKeyStart: row.hashKeyRange?.start ?? null,
      hashKeyEnd: row.hashKeyRange?.end ?? null,
    });
  }

  remove(shardId: string): void {
    this.#isChanged = true;
    this.#isDeleted = true;
    this.#statements.removeLease.run({ application: this.#application, shardId });
  }

  beat(worker: string): void {
    this.#isChanged = true;
    this.#statements.beat.run({ application: this.#application, worker, version: this.version });
  }

  end(): void {
    const { version } = this;
    const application = this.#application;
    if (this.#isChanged) this.#statements.setVersion.run({ application, version });
    if (this.#isDeleted) this.#statements.setDeleted.run({ application, version });
  }
}

type Statements = ReturnType<typeof statementsOf>;

function statementsOf(database: DatabaseSync): Readonly<Record<keyof typeof sql, StatementSync>> {
  const statements = Object.entries(sql).map(([name, text]) => [name, database.prepare(text)]);
  return Object.fromEntries(statements) as Record<keyof typeof sql, StatementSync>;
}

const sql = {
  application: 'SELECT version, deleted FROM applications WHERE application = :application',
  addApplication: 'INSERT INTO applications VALUES (:application, 0, 0) ON CONFLICT DO NOTHING',
  setVersion: 'UPDATE applications SET version = :version WHERE application = :application',
  setDeleted: 'UPDATE applications SET deleted = :version WHERE application = :application',
  leasesAfter: 'SELECT * FROM leases WHERE application = :application AND version > :version',
  putLease: `REPLACE INTO leases VALUES (:application, :shardId, :version, :owner, :previousOwner, :fence, :fenceBefore,
    :fenceBy, :sequenceNumber, :subSequenceNumber, :parentShardIds, :childShardIds, :hashKeyStart, :hashKeyEnd)`,
  removeLease: 'DELETE FROM leases WHERE application = :application AND shard_id = :shardId',
  workersAfter: 'SELECT worker, version FROM workers WHERE application = :application AND version > :version',
  beat: `INSERT INTO workers VALUES (:application, :worker, :version)
    ON CONFLICT DO UPDATE SET version = excluded.version`,
  // One that lives, and has no lease at this moment, comes back with its next one, and with a newer pulse.
  forgetWorkers: `DELETE FROM workers WHERE application = :application AND worker NOT IN (
    SELECT owner FROM leases WHERE application = :application AND owner IS NOT NULL
    UNION SELECT previous_owner FROM leases WHERE application = :application AND previous_owner IS NOT NULL)`,
} as const;

/** Returns the version of the schema, 0 of a new file. */
function refuseOthers(database: DatabaseSync, file: string): number {
  // One statement, so that both are of one moment: others may be making the tables.
  const found = database.prepare(
    'SELECT user_version AS version, (SELECT count(*) FROM sqlite_schema) AS tables FROM pragma_user_version',
  );
  const { version, tables } = found.get() as { readonly version: number; readonly tables: number };
  if (version > schemaVersion)
    throw new ClientError(
      'MR_LEASES_VERSION',
      `the lease file ${file} has format ${version}, which this version cannot read`,
    );
  if (version === 0 && tables > 0)
    throw new ClientError('MR_LEASES_FOREIGN', `the file ${file} is a SQLite database of something else than leases`);
  return version;
}

function rowOf(row: Readonly<Record<string, SQLOutputValue>>): LeaseRow {
  const start = textOf(row['hash_key_start']);
  const end = textOf(row['hash_key_end']);
  return {
    shardId: String(row['shard_id']),
    owner: textOf(row['owner']),
    previousOwner: textOf(row['previous_owner']),
    fence: Number(row['fence']),
    checkpoint: {
      sequenceNumber: String(row['sequence_number']),
      subSequenceNumber: Number(row['sub_sequence_number']),
    },
    parentShardIds: JSON.parse(String(row['parent_shard_ids'])) as string[],
    childShardIds: JSON.parse(String(row['child_shard_ids'])) as string[],
    hashKeyRange: start === undefined || end === undefined ? undefined : { start, end },
    fenceBefore: Number(row['fence_before']),
    fenceBy: String(row['fence_by']),
  };
}

function textOf(value: SQLOutputValue | undefined): string | undefined {
  return value === null || value === undefined ? undefined : String(value);
}
