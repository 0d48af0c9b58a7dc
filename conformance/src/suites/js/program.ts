import { KinesisClient } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { Checks } from '../../harness/checks.ts';
import { credentials, freshName, region } from '../../harness/target.ts';
import { checkControlPlane } from './control-plane.ts';
import { checkErrors } from './errors.ts';
import { checkFanOut } from './fan-out.ts';
import { checkReading } from './reading.ts';
import { checkRecords } from './records.ts';
import { checkResharding } from './resharding.ts';

/** Records that go through the HTTP/1.1 handler, which is not the SDK's default. */
const recordsOnHttp1 = 10_000;

const [endpoint, , records] = process.argv.slice(2) as [string, string, string];
const checks = new Checks();
const client = new KinesisClient({ endpoint, region, credentials });
await checkReading(client, checks, freshName('js'), Number(records));
await checkErrors(client, checks);
await checkControlPlane(client, checks);
await checkRecords(client, checks);
await checkResharding(client, checks);
await checkFanOut(client, checks);
client.destroy();

const http1 = new KinesisClient({ endpoint, region, credentials, requestHandler: new NodeHttpHandler() });
checks.prefix = 'by the HTTP/1.1 handler, ';
await checkReading(http1, checks, freshName('js-http1'), Math.min(recordsOnHttp1, Number(records)));
await checkErrors(http1, checks);
await checkFanOut(http1, checks);
http1.destroy();
checks.say(checks.line);
