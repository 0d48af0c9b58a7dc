import { createHash } from 'node:crypto';

/** What happened, line by line, in the order in which it did. */
export class History {
  readonly lines: string[] = [];

  add(line: string): void {
    this.lines.push(line);
  }

  /** Tells two histories apart. */
  get digest(): string {
    return createHash('sha256').update(this.lines.join('\n')).digest('hex').slice(0, 16);
  }
}
