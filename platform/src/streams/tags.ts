import { InvalidArgumentException } from '../model/index.ts';
import { sizes } from './limits.ts';
import type { Subject } from './wire-errors.ts';

/** What the model does not say of tags. @throws InvalidArgumentException */
export function checkTags(tags: Readonly<Record<string, string>>, subject: Subject): void {
  const entries = Object.entries(tags);
  if (entries.some(([key, value]) => !isTagText(key) || !isTagText(value))) {
    throw new InvalidArgumentException(
      'Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @.',
    );
  }
  if (entries.some(([key]) => key.toLowerCase().startsWith('aws:'))) {
    throw new InvalidArgumentException(
      `Failed to add tags to stream ${subject.name} under account ${subject.account} because tag keys beginning with aws: are reserved.`,
    );
  }
  if (entries.length > sizes.tagsMax) {
    throw new InvalidArgumentException(
      `Failed to add tags to stream ${subject.name} under account ${subject.account} because a given stream cannot have more than ${sizes.tagsMax} tags associated with it.`,
    );
  }
}

/** The message leaves out the colon, which the service takes. Source: recorded by kinesalite. */
function isTagText(text: string): boolean {
  return /^[\p{L}\p{N}\p{Z}\s_.:/=+\-%@]*$/u.test(text);
}

/** As tag lists are answered: sorted by key. */
export function tagList(tags: Readonly<Record<string, string>>): Array<{ Key: string; Value: string }> {
  return Object.keys(tags)
    .sort()
    .map((Key) => ({ Key, Value: tags[Key] as string }));
}
