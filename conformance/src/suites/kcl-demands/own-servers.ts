import { startOwnServer } from '../../harness/own-server.ts';
import { openTarget, type Target } from '../../harness/target.ts';
import { waysOf, withClient, type Client, type Way } from './client.ts';

/** A server of our own with other settings. */
export async function withServer(
  flags: readonly string[],
  use: (target: Target, stop: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const server = await startOwnServer(flags);
  try {
    const target = await openTarget(server.endpoint, 0);
    try {
      await use(target, () => server.close());
    } finally {
      await target.close();
    }
  } finally {
    await server.close();
  }
}

/** A client of it as the KCL is one by default. */
export async function withServerAndClient(
  flags: readonly string[],
  use: (client: Client, way: Way) => Promise<void>,
): Promise<void> {
  await withServer(flags, async (target) => {
    const way = waysOf(target)[0] as Way;
    await withClient(way, (client) => use(client, way));
  });
}
