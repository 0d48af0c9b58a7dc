export * from './aggregation/index.ts';
export { ClientError, type ClientErrorOptions, InvalidArgumentError } from './errors.ts';
export * from './producer/index.ts';
