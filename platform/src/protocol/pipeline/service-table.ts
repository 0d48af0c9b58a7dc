import { compileReader, type Operation, type RequestReader, type ServiceModel } from '../../model/index.ts';
import { assert } from '../../kernel/assert.ts';
import type { Handler, ServiceBinding } from '../call.ts';
import { compileCborWriter } from '../codec/cbor-writer.ts';
import { compileJsonWriter, type ShapeWriter } from '../codec/json-writer.ts';

/** How a body is spelled. */
export type Encoding = 'json' | 'cbor';

/** One operation of a bound service. What it needs is compiled on its first call, so that starting costs nothing. */
export class ServedOperation {
  readonly binding: ServiceBinding;
  readonly name: string;
  readonly handler: Handler | undefined;
  readonly #model: Operation;
  #reader: RequestReader | undefined;
  #jsonWriter: ShapeWriter | undefined;
  #cborWriter: ShapeWriter | undefined;
  #eventWriters: ReadonlyMap<string, ShapeWriter> | undefined;

  constructor(binding: ServiceBinding, model: Operation) {
    this.binding = binding;
    this.name = model.name;
    this.handler = binding.operations[model.method];
    this.#model = model;
  }

  get service(): ServiceModel {
    return this.binding.model;
  }

  /** @throws SerializationException | ValidationException */
  read(value: unknown, encoding: Encoding): never {
    this.#reader ??= compileReader(this.binding.model, this.name);
    return this.#reader(value, encoding) as never;
  }

  get isEventStream(): boolean {
    return this.#model.isEventStream;
  }

  /** Writers of the events of an answer that is a stream of them, in JSON by their names. */
  eventWriters(): ReadonlyMap<string, ShapeWriter> {
    this.#eventWriters ??= new Map(
      this.#model.output?.members
        .flatMap(({ shape }) => (shape.kind === 'structure' && shape.isEventStream ? shape.members : []))
        .flatMap(({ name, shape }) =>
          shape.kind === 'structure' && !shape.isError ? [[name, compileJsonWriter(shape)] as const] : [],
        ),
    );
    return this.#eventWriters;
  }

  /** `undefined` for an operation whose answer has no body. */
  writer(encoding: Encoding): ShapeWriter | undefined {
    const { output } = this.#model;
    if (output === undefined) return undefined;
    if (encoding === 'json') return (this.#jsonWriter ??= compileJsonWriter(output));
    return (this.#cborWriter ??= compileCborWriter(output));
  }
}

/** Finds an operation by `X-Amz-Target`. */
export class ServiceTable {
  readonly #byTarget = new Map<string, ServedOperation>();

  constructor(bindings: readonly ServiceBinding[]) {
    for (const binding of bindings) {
      for (const operation of binding.model.operations.values()) {
        const target = `${binding.model.targetPrefix}.${operation.name}`;
        assert(!this.#byTarget.has(target), 'each target is bound once');
        this.#byTarget.set(target, new ServedOperation(binding, operation));
      }
    }
  }

  find(target: string): ServedOperation | undefined {
    return this.#byTarget.get(target);
  }
}
