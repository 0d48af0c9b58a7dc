import type { ClientHttp2Session } from 'node:http2';
import type { Target, Transport } from '../../harness/target.ts';
import { Caller, encode, requestOf, type Answer, type Encoding } from '../../wire/call.ts';
import { openHttp1, openHttp2, type Channel, type Protocol } from '../../wire/channel.ts';
import { signed } from '../../wire/signer.ts';
import { refusalOf, Subscription, type Refusal } from './subscription.ts';

/** How a library talks to the service. */
export interface Way {
  readonly transport: Transport;
  readonly protocol: Protocol;
  readonly encoding: Encoding;
}

/** As the KCL does by default; with CBOR switched off; and over HTTP/1.1, as other consumers do. Source: sdk-protocols reference §4. */
export function waysOf({ transport, transports }: Target): Way[] {
  const secure = transports.find(({ name }) => name === 'https') ?? transport;
  return [
    { transport: secure, protocol: 'HTTP/2', encoding: 'cbor' },
    { transport, protocol: 'HTTP/2', encoding: 'json' },
    { transport, protocol: 'HTTP/1.1', encoding: 'json' },
  ];
}

export function nameOf({ transport, protocol, encoding }: Way): string {
  return `${encoding} on ${protocol}, ${transport.name}`;
}

export type StartingPosition = {
  readonly Type: string;
  readonly SequenceNumber?: string | undefined;
  readonly Timestamp?: unknown;
};

/** As the KCL sets it. Source: clients reference §2.4. */
const windowBytes = 512 * 1024;

/** One process of a library: on HTTP/2 its calls and subscriptions share a connection. */
export class Client extends Caller {
  readonly #channel: Channel;
  readonly #sessions: ClientHttp2Session[];
  readonly #subscriptions: Subscription[] = [];

  constructor({ transport, protocol, encoding }: Way) {
    const sessions: ClientHttp2Session[] = [];
    // Under TLS the Netty client of the Java SDK takes HTTP/2 for granted.
    const isNegotiated = transport.name === 'http';
    const onSession = (session: ClientHttp2Session): number => sessions.push(session);
    const channel =
      protocol === 'HTTP/2' ? openHttp2(transport, { isNegotiated, windowBytes, onSession }) : openHttp1(transport);
    super(transport, channel, encoding);
    this.#channel = channel;
    this.#sessions = sessions;
  }

  /** The connection of the newest call on HTTP/2. */
  get session(): ClientHttp2Session {
    const session = this.#sessions.at(-1);
    if (session === undefined) throw new Error('no call was made on HTTP/2');
    return session;
  }

  /** Asked for in JSON whatever the encoding of other calls. */
  async trySubscribe(input: object): Promise<Subscription | Refusal> {
    const request = requestOf('SubscribeToShard', encode(input, 'json'), 'json');
    const answer = await this.#channel.open(await signed(request, this.transport));
    if (answer.status !== 200) return refusalOf(answer);
    const subscription = new Subscription(answer);
    this.#subscriptions.push(subscription);
    return subscription;
  }

  async subscribe(ConsumerARN: string, ShardId: string, StartingPosition: StartingPosition): Promise<Subscription> {
    const result = await this.trySubscribe({ ConsumerARN, ShardId, StartingPosition });
    if (result instanceof Subscription) return result;
    throw new Error(`SubscribeToShard answered ${result.status} ${result.type}: ${result.message}`);
  }

  /** Of a subscription that is not granted. */
  async refusedSubscription(input: object): Promise<Refusal> {
    const result = await this.trySubscribe(input);
    if (!(result instanceof Subscription)) return result;
    result.cancel();
    throw new Error('SubscribeToShard was granted');
  }

  /** All of them: on HTTP/1.1 each keeps a connection from others, also one that a failed check has left. */
  cancelSubscriptions(): void {
    for (const each of this.#subscriptions.splice(0)) each.cancel();
  }

  /** The process dies. */
  die(): void {
    this.#channel.drop();
  }
}

/** Runs `use` with a client of its own. */
export async function withClient(way: Way, use: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client(way);
  try {
    await use(client);
  } finally {
    client.close();
  }
}

/** Where the Java SDK looks for an error's type first; the body has it for those that do not. */
export function typeInHeader({ raw }: Pick<Answer, 'raw'>): string | undefined {
  return raw.headers['x-amzn-errortype']?.split(/[:#]/)[0];
}
