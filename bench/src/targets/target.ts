/** Where a server process of one cell lives. */
export interface Place {
  readonly port: number;
  /** For servers that insist on a second port. */
  readonly sparePort: number;
  /** Empty at the first start of a cell. */
  readonly folder: string;
}

export interface Command {
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Something that a load can be put on; always a Node program, run by the Node that runs the bench. */
export interface Target {
  readonly name: string;
  readonly kind: 'millrace' | 'peer' | 'limit';
  /** What has happened when it answers a put, for the report. */
  readonly mode: string;
  /** Makes it ready to be started, once a run of the bench. */
  prepare(): void;
  command(place: Place): Command;
}
