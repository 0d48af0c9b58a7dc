/** Something a suite needs cannot be had on this machine; the message is a sentence for people. */
export class UnavailableError extends Error {}

/** Counts what held and what did not, and says so line by line. */
export class Checks {
  passed = 0;
  failed = 0;
  /** Before the name of each check. */
  prefix = '';
  /** Says what failed only; for suites of thousands of requests. */
  isQuiet = false;

  /** Runs one check; an error thrown by `body` is its failure. */
  async check(name: string, body: () => Promise<void> | void): Promise<void> {
    try {
      await body();
      this.record(name);
    } catch (error) {
      this.record(name, reasonOf(error));
    }
  }

  /** Notes a check made elsewhere; `failure` is why it failed. */
  record(name: string, failure?: string): void {
    if (failure === undefined) {
      this.passed++;
      if (!this.isQuiet) this.say(`ok ${this.prefix}${name}`);
    } else {
      this.failed++;
      this.say(`FAILED ${this.prefix}${name}: ${failure}`);
    }
  }

  say(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  /** The closing line. */
  get line(): string {
    return `${this.passed} passed, ${this.failed} failed`;
  }
}

const reasonCharactersMax = 2000;

function reasonOf(error: unknown): string {
  const { name, message } = error as Error;
  const text = name === 'AssertionError' || name === 'Error' ? message : `${name}: ${message}`;
  const line = text.replaceAll(/\s*\n\s*/g, ' ');
  return line.length <= reasonCharactersMax ? line : `${line.slice(0, reasonCharactersMax)} …`;
}
