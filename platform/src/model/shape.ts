/**
 * A service model as data. The generated table is an acyclic graph: members, elements and values point at shape
 * objects, so whatever walks it (request reader, response writer) can be compiled once into closures.
 * Bounds are `undefined` where the model has none. Every shape has all fields of its kind, in one order.
 */
export type Shape =
  | StructureShape
  | ListShape
  | MapShape
  | StringShape
  | NumberShape
  | BlobShape
  | TimestampShape
  | BooleanShape;

export interface StructureShape {
  readonly kind: 'structure';
  readonly name: string;
  /** In the model's order. */
  readonly members: readonly Member[];
  /** One of the modelled errors (also as a member of an event stream). */
  readonly isError: boolean;
  /** Its members are events, of which each frame carries exactly one. */
  readonly isEventStream: boolean;
  /**
   * A new object with every member, in order, and nothing else: member `i` is `read[i]` of the member of that name in
   * `from`, which is `undefined` when `from` lacks it. Generated code, since it runs once per record.
   */
  readonly assemble: (from: Fields, read: readonly FieldReader[]) => object;
}

/** An object by member names. */
export interface Fields {
  readonly [name: string]: unknown;
}

/** Converts the value of a member; gets `undefined` for one that is absent. */
export type FieldReader = (value: unknown) => unknown;

export interface Member {
  /** Wire spelling, e.g. `StreamName`. */
  readonly name: string;
  readonly shape: Shape;
  readonly required: boolean;
}

export interface ListShape {
  readonly kind: 'list';
  readonly name: string;
  readonly element: Shape;
  /** Count of elements. */
  readonly min: number | undefined;
  readonly max: number | undefined;
}

export interface MapShape {
  readonly kind: 'map';
  readonly name: string;
  readonly key: StringShape;
  readonly value: Shape;
  /** Count of entries. */
  readonly min: number | undefined;
  readonly max: number | undefined;
}

export interface StringShape {
  readonly kind: 'string';
  readonly name: string;
  /** UTF-16 code units. */
  readonly min: number | undefined;
  readonly max: number | undefined;
  /** A Java regular expression that must match the whole value. */
  readonly pattern: string | undefined;
  readonly values: readonly string[] | undefined;
}

/** `integer` is 32 bits, `long` 64 bits on the wire; both are `number` here. */
export interface NumberShape {
  readonly kind: 'integer' | 'long';
  readonly name: string;
  readonly min: number | undefined;
  readonly max: number | undefined;
}

export interface BlobShape {
  readonly kind: 'blob';
  readonly name: string;
  /** Bytes. */
  readonly min: number | undefined;
  readonly max: number | undefined;
}

/** `number` of epoch milliseconds in typed values; seconds in JSON, milliseconds in CBOR. */
export interface TimestampShape {
  readonly kind: 'timestamp';
  readonly name: string;
}

export interface BooleanShape {
  readonly kind: 'boolean';
  readonly name: string;
}

export interface Operation {
  /** Wire spelling, e.g. `PutRecords`. */
  readonly name: string;
  /** Name of the method that serves it, e.g. `putRecords`. */
  readonly method: string;
  readonly input: StructureShape;
  /** `undefined`: a success has an empty body. */
  readonly output: StructureShape | undefined;
  /** Names of the modelled errors. */
  readonly errors: readonly string[];
  /** One member of the output is an event stream. */
  readonly isEventStream: boolean;
}

export interface ServiceModel {
  /** Endpoint prefix and credential scope, e.g. `kinesis`. */
  readonly name: string;
  /** What stands before the dot in `X-Amz-Target`. */
  readonly targetPrefix: string;
  /** By wire spelling. */
  readonly operations: ReadonlyMap<string, Operation>;
}
