const headEnd = Buffer.from('\r\n\r\n');
const lastChunk = Buffer.from('0\r\n\r\n');
const firstBytes = 64 * 1024;

/**
 * Takes one HTTP/1.1 answer out of a connection's bytes. The buffer is kept and used again,
 * so `body()` is good until the next `push`.
 */
export class ResponseReader {
  #bytes: Buffer = Buffer.allocUnsafe(firstBytes);
  #length = 0;
  #bodyAt = 0;
  /** Length of the whole answer; -1 while unknown or when it comes in chunks. */
  #total = -1;
  #isChunked = false;
  status = 0;

  reset(): void {
    this.#length = 0;
    this.#bodyAt = 0;
    this.#total = -1;
    this.#isChunked = false;
    this.status = 0;
  }

  /** @returns whether the answer is complete */
  push(chunk: Uint8Array): boolean {
    this.#reserve(this.#length + chunk.length);
    this.#bytes.set(chunk, this.#length);
    this.#length += chunk.length;
    if (this.#bodyAt === 0 && !this.#readHead()) return false;
    if (this.#isChunked)
      return this.#bytes
        .subarray(Math.max(this.#bodyAt, this.#length - lastChunk.length), this.#length)
        .equals(lastChunk);
    return this.#length >= this.#total;
  }

  body(): Buffer {
    if (this.#isChunked) return joinChunks(this.#bytes.subarray(this.#bodyAt, this.#length));
    return this.#bytes.subarray(this.#bodyAt, this.#total);
  }

  #readHead(): boolean {
    const end = this.#bytes.subarray(0, this.#length).indexOf(headEnd);
    if (end < 0) return false;
    const head = this.#bytes.toString('latin1', 0, end);
    this.status = Number(head.slice(9, 12));
    this.#bodyAt = end + headEnd.length;
    const length = /\r\ncontent-length: *(\d+)/i.exec(head);
    this.#isChunked = length === null && /\r\ntransfer-encoding: *chunked/i.test(head);
    this.#total = this.#bodyAt + Number(length?.[1] ?? 0);
    if (!this.#isChunked) this.#reserve(this.#total);
    return true;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

function joinChunks(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = lineEnd < 0 ? 0 : Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (size === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
