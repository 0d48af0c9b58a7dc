/** Calls that are under way at a time: as many as the KCL has threads for renewals. */
const callsMax = 20;

/** Calls for each item, some at a time. @throws the first failure, when all that had been begun has ended */
export async function inParallel<Item>(items: Iterable<Item>, call: (item: Item) => Promise<unknown>): Promise<void> {
  const rest = items[Symbol.iterator]();
  let failure: { readonly error: unknown } | undefined;
  const run = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true && failure === undefined; next = rest.next()) {
      try {
        await call(next.value);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: callsMax }, run));
  if (failure !== undefined) throw failure.error as Error;
}
