/** What comes from a source until the signal fires: then at once, even while nothing comes. What the source does on its way out is its own affair. */
export async function* until<Item>(
  source: AsyncIterable<Item> | Iterable<Item>,
  signal: AbortSignal,
): AsyncGenerator<Item, void, void> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  // One listener for all items: what waits for a signal by a promise of its own is kept for as long as that.
  let wake = (): void => undefined;
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort);
  let isAtEnd = false;
  try {
    while (!signal.aborted) {
      const next = await new Promise<IteratorResult<Item, unknown> | undefined>((resolve, reject) => {
        wake = () => resolve(undefined);
        Promise.resolve(iterator.next()).then(resolve, reject);
      });
      isAtEnd = next?.done === true;
      if (next === undefined || isAtEnd) return;
      yield next.value as Item;
    }
  } catch (error) {
    isAtEnd = true; // It has ended itself.
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    if (!isAtEnd) Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}
