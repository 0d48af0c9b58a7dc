export type {
  AppendEntry,
  AppendOutcome,
  Durability,
  EngineStatus,
  LogControl,
  LogEngine,
  ReadOptions,
  ReadPage,
  RejectReason,
  ShardLogId,
  StateMachine,
  StoredBatch,
} from './engine.ts';
export { openEmbeddedLog, type EmbeddedOptions } from './embedded.ts';
export { DataFolderError, LogFullError, LogReadOnlyError, OutcomeUnknownError, ShardLogAbsentError } from './errors.ts';
export { BatchBuilder, BatchReader, batchHeaderBytes, recordOverheadBytesMax } from './record-batch.ts';
