import { describe, expect, it } from 'vitest';
import { BufferPool } from './buffer-pool.ts';

const pool = (): BufferPool => new BufferPool({ bufferBytes: 1000, countMax: 2 });

describe('a pool of buffers', () => {
  it('lends what was given back', () => {
    const buffers = pool();
    const first = buffers.take(10);
    buffers.give(first);
    const second = buffers.take(1000);
    expect([first.length, second.length]).toEqual([10, 1000]);
    expect(second.buffer).toBe(first.buffer);
  });

  it('never lends the same memory to two, though it be given back twice', () => {
    const buffers = pool();
    const first = buffers.take(10);
    buffers.give(first);
    buffers.give(first);
    expect(buffers.take(10).buffer).not.toBe(buffers.take(10).buffer);
  });

  it('makes others for once when all are lent, and for those that are too large', () => {
    const buffers = pool();
    const lent = [buffers.take(1), buffers.take(1)];
    const others = [buffers.take(1), buffers.take(1001)];
    expect(others.map((each) => each.buffer.byteLength)).toEqual([1, 1001]);
    for (const each of others) buffers.give(each);
    expect(buffers.take(1).buffer.byteLength).toBe(1);
    buffers.give(lent[1] as Buffer);
    expect(buffers.take(1).buffer).toBe(lent[1]?.buffer);
  });
});
