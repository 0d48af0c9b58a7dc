export type { MapShape, Operation, ServiceModel, Shape, StructureShape } from './shape.ts';
export type { Encoding } from './read-scalar.ts';
export { partitionOf } from './partition.ts';
export { compileReader, type RequestReader } from './reader.ts';
export { kinesis } from './generated/kinesis-shapes.ts';
export type * from './generated/kinesis-types.ts';
export * from './generated/kinesis-errors.ts';
export * from './wire-error.ts';
