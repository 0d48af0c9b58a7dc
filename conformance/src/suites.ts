import type { Checks } from './harness/checks.ts';
import type { Target } from './harness/target.ts';

export interface Suite {
  readonly summary: string;
  readonly load: () => Promise<(target: Target, checks: Checks) => Promise<void>>;
}

/** Each suite is loaded when it is asked for, so that one runs without what another needs. */
export const suites: Readonly<Record<string, Suite>> = {
  js: {
    summary: 'AWS SDK for JavaScript 3, default settings (HTTP/2) and the HTTP/1.1 handler',
    load: async () => (await import('./suites/js/suite.ts')).javascriptSuite,
  },
  boto3: { summary: 'boto3', load: async () => (await import('./suites/boto3.ts')).boto3Suite },
  'aws-cli': { summary: 'AWS CLI', load: async () => (await import('./suites/aws-cli/suite.ts')).awsCliSuite },
  java: {
    summary: 'AWS SDK for Java 2: CBOR, the sync client and the async client on HTTP/2',
    load: async () => (await import('./suites/java.ts')).javaSuite,
  },
  kcl: {
    summary:
      'Kinesis Client Library for Java 3 with DynamoDB Local: polling and fan-out, workers killed, shards split and merged (nightly: 4 workers, 10 minutes each)',
    load: async () => (await import('./suites/kcl/suite.ts')).kclSuite,
  },
  kpl: {
    summary:
      'Kinesis Producer Library for Java 1: aggregated and one by one, while shards are split and merged, while the server is killed',
    load: async () => (await import('./suites/kpl/suite.ts')).kplSuite,
  },
  takeover: {
    summary:
      'a Java KCL application and @millrace/client take over from one another on one table, the single one of KCL 3.5 and the three of 3.0; failover on DynamoDB Local',
    load: async () => (await import('./suites/takeover/suite.ts')).takeoverSuite,
  },
  failover: {
    summary: 'workers of @millrace/client on a SQLite file, killed and stopped: how long their shards stand still',
    load: async () => (await import('./suites/failover/suite.ts')).failoverSuite,
  },
  'kcl-demands': {
    summary: 'what the KCL and the KPL need of a server, on the wire: shard sync, polling, fan-out, producing',
    load: async () => (await import('./suites/kcl-demands/suite.ts')).kclDemandsSuite,
  },
  producer: {
    summary:
      'the producer of @millrace/client: reshards under load, servers and producers killed, memory (nightly: 1,000 reshards)',
    load: async () => (await import('./suites/producer/suite.ts')).producerSuite,
  },
  examples: {
    summary: 'the programs in examples/ at a small size, each by its command',
    load: async () => (await import('./suites/examples.ts')).examplesSuite,
  },
  consumer: {
    summary:
      'the consumer of @millrace/client: a group of workers with reshards, kills and hand-overs under load (nightly: 1,000 reshards)',
    load: async () => (await import('./suites/consumer/suite.ts')).consumerSuite,
  },
  'errors-before-operation': {
    summary: 'answers to requests that reach no operation, byte for byte, on HTTP/1.1 and HTTP/2',
    load: async () => (await import('./suites/errors-before-operation/suite.ts')).errorsBeforeOperationSuite,
  },
  constraints: {
    summary: 'every constraint of every operation, below, at and above; the messages of the domain rules',
    load: async () => (await import('./suites/constraints/suite.ts')).constraintsSuite,
  },
  command: {
    summary: '`millrace put` and `tail` of a million lines (ten times --records)',
    load: async () => (await import('./suites/command.ts')).commandSuite,
  },
  package: {
    summary: 'the package as npm packs it, run by npx in an empty folder',
    load: async () => (await import('./suites/package.ts')).packageSuite,
  },
  sizes: {
    summary: 'sizes of records, requests and answers, below, at and above their limits',
    load: async () => (await import('./suites/sizes.ts')).sizesSuite,
  },
  abuse: {
    summary: 'malformed requests and floods: refused, forgotten, and never to the harm of others (--records of them)',
    load: async () => (await import('./abuse/suite.ts')).abuseSuite,
  },
  kill: {
    summary: 'kill -9 under load, again and again: 20 rounds and a few of --durability os (nightly: 700)',
    load: async () => (await import('./durability/suites.ts')).killSuite,
  },
  points: {
    summary:
      'kill -9 at each named step that changes the data folder, one moment of each (nightly: all moments, three times)',
    load: async () => (await import('./durability/suites.ts')).pointsSuite,
  },
  flips: {
    summary:
      'flipped bits in a data folder of 100 MB: each is found and named, nothing wrong is ever returned (nightly: 1 GB, 1,000 flips)',
    load: async () => (await import('./durability/suites.ts')).flipsSuite,
  },
  reshards: {
    summary:
      'random reshards under load, polled and pushed readers that follow them, kill -9 in the midst: 60 steps (nightly: 1,000)',
    load: async () => (await import('./durability/suites.ts')).reshardsSuite,
  },
  shards: {
    summary: '10,000 shards in one process: memory at rest, syncs, files and checkpoints under load',
    load: async () => (await import('./durability/suites.ts')).shardsSuite,
  },
  churn: {
    summary:
      'full write load on streams that are deleted and made again: memory, disk, open files (nightly: 20 minutes)',
    load: async () => (await import('./durability/suites.ts')).churnSuite,
  },
  strace: {
    summary: 'the system calls of a server: no answer before its sync, no failed sync passed over',
    load: async () => (await import('./durability/suites.ts')).straceSuite,
  },
  ready: {
    summary: 'time from start to first answer after kill -9 and after a stop, with 512 MB stored (nightly: 2 GB)',
    load: async () => (await import('./durability/suites.ts')).readySuite,
  },
};
