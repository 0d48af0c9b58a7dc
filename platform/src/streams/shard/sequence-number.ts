/*
 * Sequence numbers have AWS's layout (version 2): 186 bits as 47 hexadecimal digits, written as 56 decimal ones.
 *
 *  0 '2' | 1–9 creation second of the shard | 10 lowest digit of the shard number | 11–26 counter | 27–28 '00'
 *  | 29–37 second of the record | 38–45 shard number | 46 '2'
 *
 * The counter is the offset in the shard's log plus one: 0 is the shard's beginning. The second of the record is the creation second
 * throughout, so that number and offset follow from each other without a look-up. Numbers of one shard are 2^80 apart.
 */
export interface ShardOrigin {
  readonly shard: number;
  /** Seconds since the epoch; part of every sequence number of the shard. */
  readonly createdSecond: number;
}

export interface SequenceNumber extends ShardOrigin {
  /** Offset in the shard's log; −1 is the shard's StartingSequenceNumber. */
  readonly offset: number;
}

const counterShift = 80n;
const counterMax = 0x7fff_ffff_ffff_ffffn;
/** Beyond this the creation second is refused. Source: recorded by kinesalite. */
const secondMax = 16_025_175_000;

function numberOf(origin: ShardOrigin, counter: bigint, recordSecond: number): bigint {
  const second = BigInt(origin.createdSecond);
  const shard = BigInt(origin.shard);
  return (
    (2n << 184n) |
    (second << 148n) |
    ((shard & 0xfn) << 144n) |
    (counter << counterShift) |
    (BigInt(recordSecond) << 36n) |
    (shard << 4n) |
    2n
  );
}

export function formatSequenceNumber(origin: ShardOrigin, offset: number): string {
  return numberOf(origin, BigInt(offset) + 1n, origin.createdSecond).toString();
}

/** The number a closed shard ends with: above every record's. */
export function endingSequenceNumber(origin: ShardOrigin, closedMs: number): string {
  return numberOf(origin, counterMax, Math.floor(closedMs / 1000)).toString();
}

/** Undefined when the text is no number of this layout. */
export function parseSequenceNumber(text: string): SequenceNumber | undefined {
  const hex = BigInt(text).toString(16);
  if (hex.length !== 47 || hex[0] !== '2' || hex[46] !== '2') return undefined;
  const createdSecond = Number.parseInt(hex.slice(1, 10), 16);
  const shard = Number.parseInt(hex.slice(38, 46), 16);
  const counter = BigInt(`0x${hex.slice(11, 27)}`);
  if (createdSecond >= secondMax || counter > counterMax || hex[10] !== (shard & 0xf).toString(16)) return undefined;
  return { shard, createdSecond, offset: Number(counter) - 1 };
}

/** Decimal digits of 2^80, the distance of neighbouring numbers. */
const stepDigits = Uint8Array.from((1n << counterShift).toString(), Number);
const zero = 48;
const nine = 57;

/**
 * Writes the numbers of one shard in rising order, several times faster than by way of a bigint each:
 * the digits are kept as text, to which 2^80 is added as one does on paper.
 */
export class SequenceWriter {
  readonly #origin: ShardOrigin;
  #digits: Buffer = Buffer.alloc(0);
  #offset = Number.NaN;

  constructor(origin: ShardOrigin) {
    this.#origin = origin;
  }

  /** The sequence number of a record by its offset. */
  at(offset: number): string {
    if (offset === this.#offset + 1) addStep(this.#digits);
    else this.#digits = Buffer.from(formatSequenceNumber(this.#origin, offset), 'latin1');
    this.#offset = offset;
    return this.#digits.toString('latin1');
  }
}

/** The sum never has a digit more: all numbers of this layout have 56. */
function addStep(digits: Buffer): void {
  let carry = 0;
  let at = digits.length - 1;
  for (let i = stepDigits.length - 1; i >= 0; i--, at--) {
    let digit = (digits[at] as number) + (stepDigits[i] as number) + carry;
    carry = digit > nine ? 1 : 0;
    if (carry === 1) digit -= 10;
    digits[at] = digit;
  }
  for (; carry === 1; at--) {
    carry = digits[at] === nine ? 1 : 0;
    digits[at] = carry === 1 ? zero : (digits[at] as number) + 1;
  }
}
