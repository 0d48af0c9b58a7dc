import {
  InvalidArgumentException,
  type DecreaseStreamRetentionPeriodInput,
  type IncreaseStreamRetentionPeriodInput,
} from '../../model/index.ts';
import type { Caller, StreamsContext } from '../context.ts';
import { sizes } from '../limits.ts';
import { countCall, resolveActive } from '../resolve.ts';
import { propose } from '../wire-errors.ts';

export function increaseStreamRetentionPeriod(
  context: StreamsContext,
  input: IncreaseStreamRetentionPeriodInput,
  caller: Caller,
): Promise<void> {
  return setRetention(context, input, caller, 'increase');
}

export function decreaseStreamRetentionPeriod(
  context: StreamsContext,
  input: DecreaseStreamRetentionPeriodInput,
  caller: Caller,
): Promise<void> {
  return setRetention(context, input, caller, 'decrease');
}

async function setRetention(
  context: StreamsContext,
  input: IncreaseStreamRetentionPeriodInput,
  caller: Caller,
  direction: 'increase' | 'decrease',
): Promise<void> {
  const stream = resolveActive(context, input, caller);
  countCall(context, `${direction}-stream-retention-period-calls`, stream);
  const hours = input.RetentionPeriodHours;
  if (hours < sizes.retentionHoursMin) {
    throw new InvalidArgumentException(
      `Minimum allowed retention period is ${sizes.retentionHoursMin} hours. Requested retention period (${hours} hours) is too short.`,
    );
  }
  if (hours > sizes.retentionHoursMax) {
    throw new InvalidArgumentException(
      `Maximum allowed retention period is ${sizes.retentionHoursMax} hours. Requested retention period (${hours} hours) is too long.`,
    );
  }
  const { record } = stream;
  const existing = record.retentionHours;
  const isWrongWay = direction === 'increase' ? hours < existing : hours > existing;
  if (isWrongWay) {
    const [comparison, other] = direction === 'increase' ? ['shorter', 'Decrease'] : ['longer', 'Increase'];
    throw new InvalidArgumentException(
      `Requested retention period (${hours} hours) for stream ${record.name} can not be ${comparison} than existing retention period ` +
        `(${existing} hours). Use ${other}RetentionPeriod API.`,
    );
  }
  await propose(context, { kind: 'set-retention', incarnation: record.incarnation, hours, direction }, record);
}
