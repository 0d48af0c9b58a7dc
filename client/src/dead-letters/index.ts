export { type ConsumedFrom, type DeadLetter, readDeadLetter } from './letter.ts';
