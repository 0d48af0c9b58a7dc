import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryFolder } from '../harness/folders.ts';

/** A shape as the service's own published model has it. */
export interface Shape {
  readonly type: 'structure' | 'list' | 'map' | 'string' | 'integer' | 'long' | 'blob' | 'timestamp' | 'boolean';
  readonly members?: Readonly<Record<string, { readonly shape: string }>>;
  readonly required?: readonly string[];
  readonly member?: { readonly shape: string };
  readonly key?: { readonly shape: string };
  readonly value?: { readonly shape: string };
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly enum?: readonly string[];
}

interface Operation {
  readonly input: { readonly shape: string };
  readonly errors?: readonly { readonly shape: string }[];
}

/** What of an operation the server says it has. */
interface Compatibility {
  readonly status: string;
  readonly parameters?: Readonly<Record<string, { readonly status: string }>>;
}

/** The published model, and the compatibility table that says what of it is built. */
export class Model {
  readonly #shapes: Readonly<Record<string, Shape>>;
  readonly #operations: Readonly<Record<string, Operation>>;
  readonly #compatibility: Readonly<Record<string, Compatibility>>;

  private constructor(
    file: { shapes: Record<string, Shape>; operations: Record<string, Operation> },
    table: Record<string, Compatibility>,
  ) {
    this.#shapes = file.shapes;
    this.#operations = file.operations;
    this.#compatibility = table;
  }

  static read(): Model {
    const read = (path: string): never => JSON.parse(readFileSync(join(repositoryFolder, path), 'utf8')) as never;
    return new Model(read('tools/models/kinesis.json'), read('docs/reference/compatibility.json'));
  }

  /** Names of the operations that are built, whole or partly. */
  get builtOperations(): string[] {
    return Object.keys(this.#compatibility).filter((name) => this.#compatibility[name]?.status !== 'missing');
  }

  /** What the table says of a member of an operation's input; `implemented` when it says nothing. */
  statusOf(operation: string, member: string): string {
    return this.#compatibility[operation]?.parameters?.[member]?.status ?? 'implemented';
  }

  inputOf(operation: string): Shape {
    return this.shape(this.#operations[operation]?.input.shape);
  }

  /** Error types that the operation declares. */
  errorsOf(operation: string): string[] {
    return (this.#operations[operation]?.errors ?? []).map(({ shape }) => shape);
  }

  shape(name: string | undefined): Shape {
    const shape = this.#shapes[name ?? ''];
    if (shape === undefined) throw new Error(`the model has no shape ${name}`);
    return shape;
  }
}
