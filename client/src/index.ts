export * from './aggregation/index.ts';
export * from './consumer/index.ts';
export * from './dead-letters/index.ts';
export { ClientError, type ClientErrorOptions, InvalidArgumentError } from './errors.ts';
export * from './producer/index.ts';
