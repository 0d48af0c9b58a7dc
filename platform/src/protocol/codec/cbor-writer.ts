import type { MapShape, Shape, StructureShape } from '../../model/index.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { ShapeWriter } from './json-writer.ts';

const TYPE_UNSIGNED = 0x00;
const TYPE_NEGATIVE = 0x20;
const TYPE_BYTES = 0x40;
const TYPE_TEXT = 0x60;
const TYPE_LIST = 0x80;
const TYPE_MAP = 0xa0;
const TAG_TIME = 0xc1;
const ASCII_LOOP_CHARS_MAX = 24;

/**
 * Compiles a writer of `application/x-amz-cbor-1.1`: definite lengths, blobs byte strings, timestamps tag 1 over integer epoch
 * milliseconds, absent (`undefined` or `null`) members left out. Source: data-streams reference, §1.4.
 */
export function compileCborWriter(shape: Shape): ShapeWriter {
  switch (shape.kind) {
    case 'structure':
      return structureWriter(shape);
    case 'list': {
      const element = compileCborWriter(shape.element);
      return (out, value) => {
        const list = value as readonly unknown[];
        writeHead(out, TYPE_LIST, list.length);
        for (let index = 0; index < list.length; index++) element(out, list[index]);
      };
    }
    case 'map':
      return mapWriter(shape);
    case 'string':
      return (out, value) => writeText(out, value as string);
    case 'blob':
      return (out, value) => {
        const bytes = value as Uint8Array;
        writeHead(out, TYPE_BYTES, bytes.length);
        out.raw(bytes);
      };
    case 'timestamp':
      return (out, value) => {
        out.byte(TAG_TIME);
        writeInteger(out, Math.floor(value as number));
      };
    case 'integer':
    case 'long':
      return (out, value) => writeInteger(out, value as number);
    case 'boolean':
      return (out, value) => out.byte(value === true ? 0xf5 : 0xf4);
  }
}

function structureWriter(shape: StructureShape): ShapeWriter {
  const members = shape.members.map((member) => ({
    name: member.name,
    key: Buffer.from([...textHead(member.name.length), ...Buffer.from(member.name, 'latin1')]),
    write: compileCborWriter(member.shape),
  }));
  return (out, value) => {
    const source = value as Readonly<Record<string, unknown>>;
    let count = 0;
    for (let index = 0; index < members.length; index++) {
      const field = source[(members[index] as (typeof members)[number]).name];
      if (field !== undefined && field !== null) count++;
    }
    writeHead(out, TYPE_MAP, count);
    for (let index = 0; index < members.length; index++) {
      const member = members[index] as (typeof members)[number];
      const field = source[member.name];
      if (field === undefined || field === null) continue;
      out.constant(member.key);
      member.write(out, field);
    }
  };
}

function textHead(length: number): number[] {
  return length < 24 ? [TYPE_TEXT | length] : [TYPE_TEXT | 24, length];
}

function mapWriter(shape: MapShape): ShapeWriter {
  const write = compileCborWriter(shape.value);
  return (out, value) => {
    const entries = Object.entries(value as Readonly<Record<string, unknown>>).filter(
      ([, entry]) => entry !== undefined,
    );
    writeHead(out, TYPE_MAP, entries.length);
    for (const [key, entry] of entries) {
      writeText(out, key);
      write(out, entry);
    }
  };
}

/** Writes a text string; a lone surrogate becomes U+FFFD, since CBOR text is UTF-8. */
export function writeText(out: ByteWriter, text: string): void {
  const { length } = text;
  const bytes = length <= ASCII_LOOP_CHARS_MAX && isPlain(text) ? length : Buffer.byteLength(text, 'utf8');
  writeHead(out, TYPE_TEXT, bytes);
  if (bytes === length) out.ascii(text);
  else out.utf8(text);
}

function isPlain(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}

function writeInteger(out: ByteWriter, value: number): void {
  if (value >= 0) writeHead(out, TYPE_UNSIGNED, value);
  else writeHead(out, TYPE_NEGATIVE, -1 - value);
}

/** A type with its argument in the shortest form. */
export function writeHead(out: ByteWriter, type: number, argument: number): void {
  out.ensure(9);
  const { buffer } = out;
  if (argument < 24) {
    buffer[out.at++] = type | argument;
  } else if (argument < 0x100) {
    buffer[out.at++] = type | 24;
    buffer[out.at++] = argument;
  } else if (argument < 0x1_0000) {
    buffer[out.at++] = type | 25;
    out.at = buffer.writeUInt16BE(argument, out.at);
  } else if (argument < 0x1_0000_0000) {
    buffer[out.at++] = type | 26;
    out.at = buffer.writeUInt32BE(argument, out.at);
  } else {
    buffer[out.at++] = type | 27;
    out.at = buffer.writeUInt32BE(Math.floor(argument / 0x1_0000_0000), out.at);
    out.at = buffer.writeUInt32BE(argument % 0x1_0000_0000, out.at);
  }
}
