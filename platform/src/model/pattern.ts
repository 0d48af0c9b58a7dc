/**
 * Compiles a model's pattern so that it must match the whole value, and so that matching stays cheap for hostile values.
 *
 * The ARN patterns have several `.*`; tried plainly, a value of a few thousand characters made of their separators costs
 * hundreds of milliseconds. What stands between two `.*` may be taken at its first occurrence for good, since the
 * following `.*` can take up whatever lies between that and a later one. So all segments but the last become atomic
 * (a lookahead and a reference to what it caught), and only the last is searched for.
 *
 * @param pattern a Java regular expression, in the part of the language it shares with JavaScript
 */
export function wholeValuePattern(pattern: string): RegExp {
  const source = withAtomicSegments(pattern);
  try {
    return new RegExp(`^(?:${source})$`, 'u');
  } catch {
    // Escapes of plain characters, e.g. `\-`, are legal in Java but not under the `u` flag.
    return new RegExp(`^(?:${source})$`);
  }
}

function withAtomicSegments(pattern: string): string {
  const segments = pattern.split('.*');
  const last = segments.pop() as string;
  const head = segments.shift();
  // Alternatives would tie segments together, and own groups or references would shift the numbers used here.
  if (head === undefined || segments.length === 0 || /\||\\[1-9]|\(\?/.test(pattern)) return pattern;
  const groupsBefore = (text: string): number => (text.match(/(?<!\\)\(/g) ?? []).length;
  if (segments.some((segment) => groupsBefore(segment) > 0)) return pattern;
  const first = groupsBefore(head) + 1;
  const atomic = segments.map((segment, index) => `(?=(.*?${segment}))\\${first + index}`);
  return `${head}${atomic.join('')}.*${last}`;
}
