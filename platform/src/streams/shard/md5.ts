import { hash } from 'node:crypto';

/*
 * MD5 (RFC 1321) of short texts. A digest from Node's native code costs two to four times what the digest of a partition key costs here
 * (bench `put-records-100b`: a tenth of all work), since most of it is the way there and back.
 */

const BLOCK_TEXT_MAX = 55;
const SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21] as const;
const shifts = Uint8Array.from({ length: 64 }, (_, i) => SHIFTS[(i >> 4) * 4 + (i & 3)] as number);
const sines = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0);
const block = new Int32Array(16);

/** Writes the digest of `text` in UTF-8 to `into`: four words, as the digest read as one big-endian number has them. */
export function md5Words(text: string, into: Uint32Array): void {
  if (text.length > BLOCK_TEXT_MAX || !fillBlock(text)) {
    const digest = hash('md5', text, 'buffer');
    for (let i = 0; i < 4; i++) into[i] = digest.readUInt32BE(i * 4);
    return;
  }
  let a = 0x67452301;
  let b = 0xefcdab89 | 0;
  let c = 0x98badcfe | 0;
  let d = 0x10325476;
  for (let i = 0; i < 64; i++) {
    let mixed: number;
    let word: number;
    if (i < 16) {
      mixed = (b & c) | (~b & d);
      word = i;
    } else if (i < 32) {
      mixed = (d & b) | (~d & c);
      word = (5 * i + 1) & 15;
    } else if (i < 48) {
      mixed = b ^ c ^ d;
      word = (3 * i + 5) & 15;
    } else {
      mixed = c ^ (b | ~d);
      word = (7 * i) & 15;
    }
    const sum = (a + mixed + (sines[i] as number) + (block[word] as number)) | 0;
    const shift = shifts[i] as number;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
  }
  into[0] = swap((a + 0x67452301) | 0);
  into[1] = swap((b + 0xefcdab89) | 0);
  into[2] = swap((c + 0x98badcfe) | 0);
  into[3] = swap((d + 0x10325476) | 0);
}

/** Puts ASCII text with its padding into the block; false when it is not ASCII. */
function fillBlock(text: string): boolean {
  block.fill(0);
  const { length } = text;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return false;
    block[i >> 2] = (block[i >> 2] as number) | (code << ((i & 3) * 8));
  }
  block[length >> 2] = (block[length >> 2] as number) | (0x80 << ((length & 3) * 8));
  block[14] = length * 8;
  return true;
}

const swap = (word: number): number => (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
