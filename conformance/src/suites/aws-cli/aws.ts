import assert from 'node:assert/strict';
import { runCommand, type CommandResult } from '../../harness/command.ts';
import { clientEnvironment, type Transport } from '../../harness/target.ts';

/** The `aws kinesis` command against one endpoint. */
export class AwsCli {
  readonly #program: string;
  readonly #options: readonly string[];

  constructor(program: string, transport: Transport) {
    this.#program = program;
    const bundle = transport.name === 'https' ? ['--ca-bundle', transport.pemFile] : [];
    this.#options = ['--endpoint-url', transport.endpoint, '--output', 'json', ...bundle, 'kinesis'];
  }

  run(...words: string[]): Promise<CommandResult> {
    const env = {
      ...clientEnvironment,
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_PAGER: '',
    };
    return runCommand(this.#program, [...this.#options, ...words], { env });
  }

  /** Exit code 0 is expected. */
  async mustRun(...words: string[]): Promise<CommandResult> {
    const result = await this.run(...words);
    assert.equal(result.code, 0, `aws kinesis ${words.join(' ')}: ${result.stderr.trim()}`);
    return result;
  }

  async json<Answer>(...words: string[]): Promise<Answer> {
    return JSON.parse((await this.mustRun(...words)).stdout) as Answer;
  }

  async iterator(name: string, type: string, ...options: string[]): Promise<string> {
    const at = ['--stream-name', name, '--shard-id', 'shardId-000000000000', '--shard-iterator-type', type];
    return (await this.json<{ ShardIterator: string }>('get-shard-iterator', ...at, ...options)).ShardIterator;
  }
}
