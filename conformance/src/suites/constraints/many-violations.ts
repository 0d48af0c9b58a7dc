import assert from 'node:assert/strict';
import type { Checks } from '../../harness/checks.ts';
import type { Model } from '../../model/model.ts';
import { assertViolationMessage } from '../../model/violation-message.ts';
import { violationsOf } from '../../model/violations.ts';
import type { Caller } from '../../wire/call.ts';
import type { TestStream } from '../../wire/stream.ts';

/** Several broken constraints of one request: all are told, up to ten. */
export async function checkManyViolations(
  model: Model,
  caller: Caller,
  checks: Checks,
  { name }: TestStream,
): Promise<void> {
  const good = { PartitionKey: 'k', Data: Uint8Array.of(1) };
  const bad = { PartitionKey: '', Data: Uint8Array.of(1) };
  const inputs = {
    PutRecord: { StreamName: '', PartitionKey: '', ExplicitHashKey: 'x' },
    PutRecords: { StreamName: name, Records: [good, bad, { ExplicitHashKey: '01' }, ...Array<object>(6).fill(bad)] },
    GetShardIterator: {},
    GetRecords: { Limit: 0 },
  };
  const cases: [string, object][] = Object.entries(inputs);
  for (const count of [9, 10, 11, 500])
    cases.push(['PutRecords', { StreamName: name, Records: Array<object>(count).fill(bad) }]);
  for (const [operation, input] of cases) {
    for (const encoding of ['json', 'cbor'] as const) {
      const violations = violationsOf(model, model.inputOf(operation), input);
      await checks.check(`${violations.length} violations of ${operation} in ${encoding}`, async () => {
        const { status, type, message } = await caller.call(operation, input, encoding);
        assert.deepEqual([status, type], [400, 'ValidationException']);
        assertViolationMessage(message, violations);
      });
    }
  }
}
