import assert from 'node:assert/strict';
import type { Checks } from '../../harness/checks.ts';
import type { Target } from '../../harness/target.ts';
import { Model } from '../../model/model.ts';
import { assertViolationMessage } from '../../model/violation-message.ts';
import { violationsOf } from '../../model/violations.ts';
import { Caller, type Encoding } from '../../wire/call.ts';
import { withStream } from '../../wire/stream.ts';
import { checkDomainMessages } from './domain-messages.ts';
import { checkLimitMessages } from './limit-messages.ts';
import { boundRequests, type BoundRequest, type Subject } from './requests.ts';
import { checkTypeErrors } from './type-errors.ts';
import { checkManyViolations } from './many-violations.ts';

/** The operations that clients send in CBOR all the time. */
const dataPlane = new Set(['PutRecord', 'PutRecords', 'GetRecords', 'GetShardIterator']);

export async function constraintsSuite(target: Target, checks: Checks): Promise<void> {
  const model = Model.read();
  const caller = new Caller(target.transport);
  try {
    await withStream(caller, { ShardCount: 1 }, async (stream) => {
      const start = { StreamName: stream.name, ShardId: 'shardId-000000000000', ShardIteratorType: 'LATEST' };
      const { ShardIterator } = await caller.mustCall('GetShardIterator', start);
      const subject: Subject = { stream, iterator: ShardIterator as string };
      for (const operation of model.builtOperations) {
        await checkOperation(model, caller, checks, { operation, subject, encoding: 'json' });
        if (dataPlane.has(operation))
          await checkOperation(model, caller, checks, { operation, subject, encoding: 'cbor' });
      }
      await checkManyViolations(model, caller, checks, stream);
      await checkTypeErrors(caller, checks, stream);
      await checkDomainMessages(caller, checks, stream);
    });
  } finally {
    caller.close();
  }
  if (target.isOwn) await checkLimitMessages(checks);
  else checks.say('Messages of rates and states are not checked: that needs a server of our own with other settings.');
}

interface Plan {
  readonly operation: string;
  readonly subject: Subject;
  readonly encoding: Encoding;
}

async function checkOperation(
  model: Model,
  caller: Caller,
  checks: Checks,
  { operation, subject, encoding }: Plan,
): Promise<void> {
  const before = checks.passed + checks.failed;
  checks.isQuiet = true;
  checks.prefix = `${operation} in ${encoding}: `;
  for (const request of boundRequests(model, operation, subject)) {
    await checks.check(request.name, () => checkRequest(model, caller, { operation, request, encoding }));
  }
  checks.isQuiet = false;
  checks.prefix = '';
  checks.say(`${operation} in ${encoding}: ${checks.passed + checks.failed - before} requests`);
}

async function checkRequest(
  model: Model,
  caller: Caller,
  { operation, request, encoding }: { operation: string; request: BoundRequest; encoding: Encoding },
): Promise<void> {
  const violations = violationsOf(model, model.inputOf(operation), request.input);
  const { status, type, message } = await caller.call(operation, request.input, encoding);
  if (operation === 'CreateStream' && status === 200)
    await caller.mustCall('DeleteStream', { StreamName: request.input['StreamName'] });
  if (violations.length > 0) {
    assert.deepEqual(
      [status, type],
      [400, 'ValidationException'],
      `answered ${status} ${type}: ${message?.slice(0, 200)}`,
    );
    assertViolationMessage(message, violations);
  } else if (status !== 200) {
    // Of every operation, declared or not. Source: API reference, "Common Errors".
    const common = ['AccessDeniedException'];
    const declared = [...common, ...model.errorsOf(operation).filter((each) => each !== 'ValidationException')];
    const expected = request.isPartial ? [...declared, 'UnknownOperationException'] : declared;
    assert.ok(
      status === 400 && expected.includes(type ?? ''),
      `keeps all constraints, but was answered ${status} ${type}: ${message?.slice(0, 200)}`,
    );
  }
}
