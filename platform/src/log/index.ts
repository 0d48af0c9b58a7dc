export type {
  AppendEntry,
  AppendOutcome,
  Durability,
  LogControl,
  LogEngine,
  ReadPage,
  RejectReason,
  ShardLogId,
  StateMachine,
  StoredBatch,
} from './engine.ts';
export { openEmbeddedLog } from './embedded.ts';
export { ShardLogAbsentError } from './errors.ts';
export { BatchBuilder, BatchReader, batchHeaderBytes, recordOverheadBytesMax } from './record-batch.ts';
export { FolderDamagedError, inspectFolder } from './inspect/folder.ts';
export { inspectRunning } from './inspect/running.ts';
export type { Damage, FolderReport, JournalFileReport, LostRange, SegmentReport, TornTail } from './inspect/report.ts';
