import type { TestStream } from '../../wire/stream.ts';
import { freshName } from '../../harness/target.ts';
import type { Model, Shape } from '../../model/model.ts';
import { soundValue, valuesAround } from './values.ts';

/** A request with one member at a bound. */
export interface BoundRequest {
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** The member in question is built in part only: that a value of it is not there yet is an answer, too. */
  readonly isPartial: boolean;
}

/** What the requests speak of. */
export interface Subject {
  readonly stream: TestStream;
  readonly iterator: string;
}

type Input = Readonly<Record<string, unknown>>;

/** A request of each operation that goes through, of which one member at a time is changed. */
function soundRequest(operation: string, { stream, iterator }: Subject): Input {
  const of = { StreamName: stream.name };
  const bases: Readonly<Record<string, Input>> = {
    AddTagsToStream: { ...of, Tags: { k: 'v' } },
    CreateStream: { StreamName: freshName('bound'), ShardCount: 1 },
    // Of a stream that is not there, so that the one in use stays.
    DeleteStream: { StreamName: 'no-such' },
    DecreaseStreamRetentionPeriod: { ...of, RetentionPeriodHours: 24 },
    IncreaseStreamRetentionPeriod: { ...of, RetentionPeriodHours: 24 },
    DescribeLimits: {},
    GetRecords: { ShardIterator: iterator },
    GetShardIterator: { ...of, ShardId: 'shardId-000000000000', ShardIteratorType: 'LATEST' },
    ListStreams: {},
    ListTagsForResource: { ResourceARN: stream.arn },
    PutRecord: { ...of, PartitionKey: 'k', Data: Uint8Array.of(1) },
    PutRecords: { ...of, Records: [{ PartitionKey: 'k', Data: Uint8Array.of(1) }] },
    RemoveTagsFromStream: { ...of, TagKeys: ['k'] },
    TagResource: { ResourceARN: stream.arn, Tags: { k: 'v' } },
    UntagResource: { ResourceARN: stream.arn, TagKeys: ['k'] },
  };
  return bases[operation] ?? of;
}

/** One request for each value around each constraint of an operation, nested ones among them. */
export function boundRequests(model: Model, operation: string, subject: Subject): BoundRequest[] {
  const requests: BoundRequest[] = [{ name: 'sound', input: soundRequest(operation, subject), isPartial: false }];
  for (const { path, shape, isRequired } of sitesOf(model, operation, model.inputOf(operation), [])) {
    const add = (name: string, value: unknown): void => {
      const input = withValue(model, model.inputOf(operation), soundRequest(operation, subject), path, value);
      const isPartial = model.statusOf(operation, String(path[0])) === 'partial';
      requests.push({ name: `${path.join('.')} of ${name}`, input: fitting(operation, input as Input), isPartial });
    };
    if (isRequired) {
      add('nothing', undefined);
      add('null', null);
    }
    for (const { name, value } of valuesAround(model, shape)) add(name, value);
  }
  return requests;
}

interface Site {
  readonly path: readonly (string | number)[];
  readonly shape: Shape;
  readonly isRequired: boolean;
}

/** Every member of a request, at any depth. Numbers in a path are list indexes. */
function sitesOf(model: Model, operation: string, shape: Shape, path: readonly (string | number)[]): Site[] {
  if (shape.type === 'list') return sitesOf(model, operation, model.shape(shape.member?.shape), [...path, 0]);
  return Object.entries(shape.members ?? {}).flatMap(([name, { shape: type }]) => {
    if (path.length === 0 && model.statusOf(operation, name) === 'missing') return [];
    const site = {
      path: [...path, name],
      shape: model.shape(type),
      isRequired: shape.required?.includes(name) === true,
    };
    return [site, ...sitesOf(model, operation, site.shape, site.path)];
  });
}

/** A copy with another value at one place; what leads there is made where the request has none. */
function withValue(
  model: Model,
  shape: Shape,
  holder: unknown,
  [step, ...rest]: readonly (string | number)[],
  value: unknown,
): unknown {
  if (step === undefined) return value;
  if (typeof step === 'number') {
    const list = [...(holder as readonly unknown[])];
    list[step] = withValue(model, model.shape(shape.member?.shape), list[step], rest, value);
    return list;
  }
  const structure = holder as Input;
  const memberShape = model.shape(shape.members?.[step]?.shape);
  const inner = structure[step] ?? (rest.length === 0 ? undefined : soundValue(model, memberShape));
  return { ...structure, [step]: withValue(model, memberShape, inner, rest, value) };
}

/** Two members of CreateStream exclude each other by a rule of the domain, told as ValidationException, too. */
function fitting(operation: string, input: Input): Input {
  const mode = (input['StreamModeDetails'] as { StreamMode?: unknown } | null | undefined)?.StreamMode;
  if (operation !== 'CreateStream' || mode !== 'ON_DEMAND') return input;
  const { ShardCount: _, ...others } = input;
  return others;
}
