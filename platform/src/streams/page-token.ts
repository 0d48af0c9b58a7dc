import { ExpiredNextTokenException, InvalidArgumentException } from '../model/index.ts';
import type { StreamsContext } from './context.ts';
import { sizes } from './limits.ts';
import type { TokenPurpose } from './sealed-token.ts';

/** Makes a NextToken; `content` is plain data of the operation. */
export function sealPageToken(context: StreamsContext, purpose: TokenPurpose, content: object): string {
  return context.tokens.seal(purpose, JSON.stringify({ ...content, issuedMs: context.clock.now() }));
}

/** @throws ExpiredNextTokenException, InvalidArgumentException */
export function openPageToken<Content extends object>(
  context: StreamsContext,
  purpose: TokenPurpose,
  token: string,
): Content {
  const text = context.tokens.open(purpose, token);
  if (text === undefined) throw new InvalidArgumentException('NextToken is invalid.');
  const content = JSON.parse(text) as Content & { issuedMs: number };
  if (context.clock.now() - content.issuedMs > sizes.pageTokenLifeMs) {
    throw new ExpiredNextTokenException(
      `NextToken expired. It was created at ${new Date(content.issuedMs).toISOString()} and lives for ${sizes.pageTokenLifeMs / 1000} seconds.`,
    );
  }
  return content;
}
