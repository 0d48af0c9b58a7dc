/**
 * Merges botocore's model of a service with this project's list of what came later, and drops all prose.
 * Only facts stay: names, members, required members, bounds, patterns, enums, errors.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelFile, ModelShape } from './models/format.ts';

/** A member's type in the additions: a scalar's name, or a reference. */
type AddedType = string | { list: string; member: AddedType } | { structure: string };
interface AddedMember {
  required: boolean;
  shape: AddedType;
}
interface Additions {
  newOperations: Record<string, { input: string; output: string | null; errors: string[] }>;
  newStructures: Record<string, { kind: 'structure' | 'error'; members: Record<string, AddedMember> }>;
  changedStructures: Record<string, { added: Record<string, AddedMember>; requiredNow: string[] }>;
  existingOperationErrorChanges: Record<string, { added: string[]; removed: string[] }>;
  enums: Record<string, string[]>;
  constraints: Record<string, Bounds>;
}

interface Bounds {
  min?: number;
  max?: number;
  pattern?: string;
}

/**
 * Shape of a scalar member of the additions, which name types only roughly: by `Structure.Member`, else by `Member`,
 * else a shape of the member's own name.
 */
const memberShapes: Readonly<Record<string, string>> = {
  'ChannelEncryptionConfiguration.EncryptionType': 'ChannelEncryptionType',
  'S3StorageConfiguration.CompressionType': 'S3CompressionType',
  'S3TablesConfiguration.CompressionType': 'S3TablesCompressionType',
  'PartitionField.SourceName': 'PartitionFieldSourceName',
  'PartitionField.Transform': 'PartitionTransform',
  'ListChannelsInput.MaxResults': 'ListChannelsInputLimit',
  StorageClass: 'S3StorageClass',
  BucketARN: 'S3BucketARN',
  Tags: 'TagMap',
  DryRun: 'BooleanObject',
  Enabled: 'BooleanObject',
  ChannelCount: 'NaturalIntegerObject',
  ChannelCountLimit: 'NaturalIntegerObject',
  ChannelCreationTimestamp: 'Timestamp',
  StreamCreationTimestamp: 'Timestamp',
  message: 'ErrorMessage',
};

/** Which entry of `constraints` bounds a shape, where the two are not named alike. */
const constraintNames: Readonly<Record<string, string>> = {
  ChannelStreamConfigurationList: 'StreamConfigurationList',
  PartitionFieldList: 'PartitionFields',
  PartitionFieldSourceName: 'PartitionField.SourceName',
  S3BucketARN: 'S3.BucketARN',
};

/** Bounds that the additions tell in words: one stream a channel; a limit starts at 1 as in the other list operations. */
const boundsInWords: Readonly<Record<string, Bounds>> = {
  ChannelStreamConfigurationList: { min: 1, max: 1 },
  ListChannelsInputLimit: { min: 1 },
};

/** The merged model of `kinesis`, read from the two files in `folder`. */
export function importKinesis(folder: string): ModelFile {
  const model = withoutProse(readJson(join(folder, 'kinesis.json'))) as ModelFile;
  const additions = readJson(join(folder, 'kinesis.additions-2026-09.json')) as Additions;
  for (const [name, structure] of Object.entries(additions.newStructures)) {
    const shape: ModelShape = { type: 'structure', members: {} };
    if (structure.kind === 'error') shape.exception = true;
    model.shapes[name] = shape;
    addMembers(model, additions, name, structure.members);
    setRequired(shape, requiredNames(structure.members));
  }
  for (const [name, change] of Object.entries(additions.changedStructures)) {
    const shape = model.shapes[name];
    if (shape === undefined) throw new Error(`the additions change ${name}, which the base model does not have`);
    addMembers(model, additions, name, change.added);
    // An event stream is listed with one nameless required member: an artefact, no change.
    if (shape.eventstream !== true) setRequired(shape, change.requiredNow);
  }
  addOperations(model, additions);
  model.shapes = Object.fromEntries(Object.entries(model.shapes).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  model.operations = Object.fromEntries(Object.entries(model.operations).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return model;
}

function addOperations(model: ModelFile, additions: Additions): void {
  for (const [name, added] of Object.entries(additions.newOperations)) {
    model.operations[name] = {
      name,
      http: { method: 'POST', requestUri: '/' },
      input: { shape: added.input },
      ...(added.output === null ? {} : { output: { shape: added.output } }),
      errors: added.errors.map((shape) => ({ shape })),
    };
  }
  for (const [name, change] of Object.entries(additions.existingOperationErrorChanges)) {
    const operation = model.operations[name];
    if (operation === undefined) throw new Error(`the additions change ${name}, which the base model does not have`);
    const kept = (operation.errors ?? []).filter((error) => !change.removed.includes(error.shape));
    operation.errors = [...kept, ...change.added.map((shape) => ({ shape }))];
  }
}

function addMembers(
  model: ModelFile,
  additions: Additions,
  structure: string,
  members: Readonly<Record<string, AddedMember>>,
): void {
  const shape = model.shapes[structure];
  if (shape?.members === undefined) throw new Error(`${structure} is not a structure`);
  for (const [name, member] of Object.entries(members)) {
    const target = memberShapes[`${structure}.${name}`] ?? memberShapes[name] ?? name;
    shape.members[name] = { shape: addShape(model, additions, member.shape, target) };
  }
}

/** Adds the shape of `type` when the model lacks it, and returns its name. */
function addShape(model: ModelFile, additions: Additions, type: AddedType, scalarName: string): string {
  if (typeof type === 'object' && 'structure' in type) return type.structure;
  const name = typeof type === 'object' ? type.list : scalarName;
  if (model.shapes[name] !== undefined) return name;
  const bounds: Bounds = boundsInWords[name] ?? additions.constraints[constraintNames[name] ?? name] ?? {};
  const { min, max, pattern } = bounds;
  const shape: ModelShape = { type: typeof type === 'object' ? 'list' : scalarType(type) };
  if (typeof type === 'object') shape.member = { shape: addShape(model, additions, type.member, '') };
  const values = additions.enums[name];
  if (values !== undefined) shape.enum = values;
  if (max !== undefined) shape.max = max;
  if (min !== undefined) shape.min = min;
  if (pattern !== undefined) shape.pattern = pattern;
  model.shapes[name] = shape;
  return name;
}

function scalarType(type: string): ModelShape['type'] {
  if (type === 'integer/long') return 'integer';
  if (type === 'string' || type === 'boolean' || type === 'timestamp') return type;
  throw new Error(`the additions name a type this tool does not know: ${type}`);
}

function requiredNames(members: Readonly<Record<string, AddedMember>>): string[] {
  return Object.keys(members).filter((name) => members[name]?.required === true);
}

function setRequired(shape: ModelShape, required: readonly string[]): void {
  if (required.length === 0) delete shape.required;
  else shape.required = Object.keys(shape.members ?? {}).filter((name) => required.includes(name));
}

/** A deep copy without documentation, and without what only chooses an endpoint's host name. */
function withoutProse(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutProse);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(
    ([key, item]) =>
      key !== 'contextParam' && key !== 'staticContextParams' && !(key === 'documentation' && typeof item === 'string'),
  );
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutProse(item)]));
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}
