import { pino } from 'pino';
import type { Logger } from '../kernel/logger.ts';
import type { LogLevel } from './config.ts';

/** JSON lines on stderr; stdout stays free for what people asked for. */
export function stderrLogger(level: LogLevel): Logger {
  return pino({ level, base: null }, pino.destination({ dest: 2, sync: true }));
}
