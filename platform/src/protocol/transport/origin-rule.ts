import type { RequestHead } from './request-head.ts';

/** What widens the rule: exact origins and exact host names, or `*` for any; `*.name` stands for whatever ends in `.name`. */
export interface OriginRuleOptions {
  readonly corsOrigins: readonly string[];
  readonly hostNames: readonly string[];
}

/**
 * Keeps web pages away from an open port. A page of another site is told apart by its `Origin`; one that has pointed its own name at
 * this machine (DNS rebinding) by its `Host`. Source: design §3.
 */
export class OriginRule {
  readonly #origins: ReadonlySet<string>;
  readonly #hosts: ReadonlySet<string>;
  readonly #suffixes: readonly string[];
  /** The clients of a server nearly all call it by one name. */
  #lastAllowed: string | undefined;

  constructor(options: OriginRuleOptions) {
    this.#origins = new Set(options.corsOrigins.map((origin) => origin.toLowerCase()));
    const names = options.hostNames.map((name) => name.toLowerCase());
    this.#hosts = new Set(names.map((name) => name.replace(/\.$/, '')));
    this.#suffixes = names.filter((name) => name.startsWith('*.')).map((name) => name.slice(1));
  }

  /** Returns why the request must not be served, `undefined` when it may. */
  refusal(head: RequestHead): string | undefined {
    if (!this.#isHostAllowed(head)) return 'Host not allowed';
    const origin = head.header('origin');
    return origin === undefined || this.#isOriginAllowed(origin) ? undefined : 'Origin not allowed';
  }

  #isHostAllowed(head: RequestHead): boolean {
    if (head.host === undefined) return false;
    if (head.host === this.#lastAllowed) return true;
    const name = hostNameOf(head.host);
    if (name === undefined) return false;
    if (isLoopback(name) || this.#isListed(name)) {
      this.#lastAllowed = head.host;
      return true;
    }
    // An address cannot be rebound: the one the connection came in on is this server.
    return name === plainAddress(head.localAddress);
  }

  #isListed(name: string): boolean {
    return this.#hosts.has('*') || this.#hosts.has(name) || this.#suffixes.some((suffix) => name.endsWith(suffix));
  }

  #isOriginAllowed(origin: string): boolean {
    if (this.#origins.has('*') || this.#origins.has(origin.toLowerCase())) return true;
    const host = /^https?:\/\/([^/?#@]+)$/i.exec(origin)?.[1];
    const name = host === undefined ? undefined : hostNameOf(host);
    return name !== undefined && isLoopback(name);
  }
}

/**
 * Lower-case name or address without port, brackets and final dot; `undefined` when it is not of that form. Node's own HTTP/2 client leaves
 * out the brackets of an IPv6 address (`::1:4566`), which is understood as long as there is a port.
 */
function hostNameOf(host: string): string | undefined {
  const form = /^(?:\[([0-9a-f:.]+)\]|([^:@/[\]\s]+)|([0-9a-f]*:[0-9a-f:]*)(?=:\d))(?::\d{0,5})?$/i;
  const [, bracketed, plain, bare] = form.exec(host) ?? [];
  return (bracketed ?? plain ?? bare)?.toLowerCase().replace(/\.$/, '');
}

function isLoopback(name: string): boolean {
  return (
    name === 'localhost' ||
    name === '::1' ||
    name.endsWith('.localhost') ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)
  );
}

/** An IPv4 address seen through an IPv6 socket is the IPv4 address. */
function plainAddress(address: string | undefined): string | undefined {
  return address?.startsWith('::ffff:') === true ? address.slice(7) : address;
}
