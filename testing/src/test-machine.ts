import type { LogControl, LogEngine, ShardLogId, StateMachine } from '../../platform/src/log/engine.ts';

export type TestCommand = { readonly id: number } & (
  | { readonly kind: 'provision' | 'close'; readonly group: number; readonly shard: number }
  | { readonly kind: 'drop'; readonly group: number }
  | { readonly kind: 'trim'; readonly group: number; readonly timeMs: number }
);

export interface MachineShard {
  readonly group: number;
  readonly shard: number;
  /** What the log answered when the shard was closed. */
  endOffset: number | undefined;
}

interface MachineState {
  /** Ids of the commands applied, in order. */
  applied: number[];
  shards: MachineShard[];
  /** Groups that were dropped: their numbers are not used again. */
  dropped: number[];
  /** Group and time. */
  trims: Array<[number, number]>;
}

/** The smallest catalog: it remembers every command and what the log answered. A command that asks for what is so already changes nothing. */
export class TestMachine implements StateMachine {
  #state: MachineState = { applied: [], shards: [], dropped: [], trims: [] };

  get applied(): readonly number[] {
    return this.#state.applied;
  }

  get shards(): readonly MachineShard[] {
    return this.#state.shards;
  }

  find({ group, shard }: ShardLogId): MachineShard | undefined {
    return this.#state.shards.find((each) => each.group === group && each.shard === shard);
  }

  trimMs(group: number): number {
    return Math.max(0, ...this.#state.trims.filter(([id]) => id === group).map(([, timeMs]) => timeMs));
  }

  apply(bytes: Uint8Array, control: LogControl): unknown {
    const command = JSON.parse(Buffer.from(bytes).toString()) as TestCommand;
    this.#state.applied.push(command.id);
    switch (command.kind) {
      case 'provision': {
        if (this.find(command) !== undefined || this.#state.dropped.includes(command.group)) return { id: command.id };
        control.provision(command);
        this.#state.shards.push({ group: command.group, shard: command.shard, endOffset: undefined });
        return { id: command.id };
      }
      case 'close': {
        const shard = this.find(command);
        if (shard === undefined) return { id: command.id };
        shard.endOffset ??= control.closeShard(command);
        return { id: command.id, endOffset: shard.endOffset };
      }
      case 'drop':
        this.#state.shards = this.#state.shards.filter((each) => each.group !== command.group);
        this.#state.dropped.push(command.group);
        control.drop(command.group);
        return { id: command.id };
      case 'trim':
        this.#state.trims.push([command.group, command.timeMs]);
        control.trim(command.group, command.timeMs);
        return { id: command.id };
    }
  }

  snapshot(): Uint8Array {
    return Buffer.from(JSON.stringify(this.#state));
  }

  restore(snapshot: Uint8Array): void {
    this.#state = JSON.parse(Buffer.from(snapshot).toString()) as MachineState;
  }
}

export function encodeCommand(command: TestCommand): Uint8Array {
  return Buffer.from(JSON.stringify(command));
}

export type CommandResult = { readonly id: number; readonly endOffset?: number };

export async function propose(log: LogEngine, command: TestCommand): Promise<CommandResult> {
  return (await log.propose(encodeCommand(command))) as CommandResult;
}
