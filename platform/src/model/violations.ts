import type { ListShape, MapShape, Shape } from './shape.ts';

/** At most so many violations are reported. Source: recorded messages. */
const violationsMax = 10;
/**
 * Bound of what one message repeats of the request, in UTF-16 code units. The service repeats values whole; a list of
 * 501 records, the largest that recordings show, needs about 40,000.
 */
const echoCharactersMax = 64 * 1024;
/** Every violation may repeat so much, even when earlier ones used up the whole. */
const echoCharactersEach = 256;
/** Namespace of the structures' classes in messages. */
const javaPackage = 'com.amazonaws.kinesis.v20131202';

/**
 * Collects the broken constraints of one request, with the path that leads to the value being checked.
 * The path costs nothing until something is broken: it is a stack that whoever descends writes to.
 */
export class Violations {
  readonly #texts: string[] = [];
  readonly #path: (string | number)[] = [];
  #echoLeft = echoCharactersMax;

  get count(): number {
    return this.#texts.length;
  }

  /** Nothing more will be reported, so nothing more needs to be checked. */
  get isFull(): boolean {
    return this.#texts.length >= violationsMax;
  }

  /** Descends into a member, by the name that messages give it, or into a list element, by its number from 1. */
  enter(step: string | number): void {
    this.#path.push(step);
  }

  leave(): void {
    this.#path.pop();
  }

  /** Reports that the value at the current path, of `shape`, breaks `constraint`. */
  add(value: unknown, shape: Shape, constraint: string): void {
    if (this.isFull) return;
    const text = new BoundedText(Math.max(this.#echoLeft, echoCharactersEach));
    format(text, value, shape, 0);
    this.#echoLeft -= text.length;
    const shown = value === null || value === undefined ? 'null' : `'${text.toString()}'`;
    const path = this.#path.map((step) => String(step).slice(0, echoCharactersEach)).join('.');
    this.#texts.push(`Value ${shown} at '${path}' failed to satisfy constraint: ${constraint}`);
  }

  /** Source: recorded, e.g. `2 validation errors detected: Value … ; Value …`. */
  message(): string {
    const noun = this.count === 1 ? 'error' : 'errors';
    return `${this.count} validation ${noun} detected: ${this.#texts.join('; ')}`;
  }
}

/** Text that stops growing at a bound. */
class BoundedText {
  #text = '';
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get length(): number {
    return this.#text.length;
  }

  get isFull(): boolean {
    return this.#text.length >= this.#max;
  }

  append(text: string): void {
    this.#text += text.slice(0, this.#max - this.#text.length);
  }

  toString(): string {
    return this.#text;
  }
}

/** Writes a typed value as Java prints it. `position` stands in for the hash in `Class@hash`. */
function format(out: BoundedText, value: unknown, shape: Shape, position: number): void {
  if (value === null || value === undefined) return out.append('null');
  switch (shape.kind) {
    case 'structure':
      return out.append(`${javaPackage}.${shape.name}@${(0x10_00_00_00 + position).toString(16)}`);
    case 'list':
      return formatList(out, value as readonly unknown[], shape);
    case 'map':
      return formatMap(out, value as Readonly<Record<string, unknown>>, shape);
    case 'blob': {
      const { length } = value as Uint8Array;
      return out.append(`java.nio.HeapByteBuffer[pos=0 lim=${length} cap=${length}]`);
    }
    case 'string':
      return out.append(value as string);
    case 'integer':
    case 'long':
    case 'timestamp':
    case 'boolean':
      return out.append(String(value as number | boolean));
  }
}

function formatList(out: BoundedText, list: readonly unknown[], shape: ListShape): void {
  out.append('[');
  for (let index = 0; index < list.length && !out.isFull; index++) {
    if (index > 0) out.append(', ');
    format(out, list[index], shape.element, index);
  }
  out.append(']');
}

function formatMap(out: BoundedText, map: Readonly<Record<string, unknown>>, shape: MapShape): void {
  out.append('{');
  let position = 0;
  for (const key in map) {
    if (out.isFull) break;
    out.append(`${position === 0 ? '' : ', '}${key}=`);
    format(out, map[key], shape.value, position++);
  }
  out.append('}');
}
