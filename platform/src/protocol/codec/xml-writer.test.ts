import { expect, test } from 'vitest';
import { writeXml } from './xml-writer.ts';

test('elements in elements, with a namespace', () => {
  expect(writeXml('A', { B: 'b', C: { D: '' } }, 'urn:"x"&y')).toBe(
    '<A xmlns="urn:&quot;x&quot;&amp;y"><B>b</B><C><D></D></C></A>',
  );
});

test.each([
  ['markup', '<a href="b">&</a>]]>', '&lt;a href=&quot;b&quot;&gt;&amp;&lt;/a&gt;]]&gt;'],
  ['a carriage return', 'a\r\nb\tc', 'a&#13;\nb\tc'],
  ['what XML cannot say', 'a\u0000\u0008\u000b\u001f\ufffe\uffffb', `a${'\ufffd'.repeat(6)}b`],
  ['half a character', 'a\ud800b', 'a\ufffdb'],
  ['other characters', 'é€😀\u007f', 'é€😀\u007f'],
])('%s in text', (_what, text, written) => {
  expect(writeXml('A', text)).toBe(`<A>${written}</A>`);
});
