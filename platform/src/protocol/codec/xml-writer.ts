/** What is inside an element: text, or elements by their names. */
export type XmlContent = string | { readonly [name: string]: XmlContent };

/** A bare carriage return is read as a line feed. */
const SPECIAL = /[&<>"\r]/g;
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#13;',
};
/** What XML 1.0 cannot say, not even escaped. */
// oxlint-disable-next-line no-control-regex
const UNSPEAKABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

/**
 * One element as XML 1.0 text. Characters that XML has no way to say become U+FFFD.
 *
 * @param name        of the element; a name, not checked
 * @param namespace   declared on the element
 */
export function writeXml(name: string, content: XmlContent, namespace?: string): string {
  const declared = namespace === undefined ? '' : ` xmlns="${escaped(namespace)}"`;
  const inside =
    typeof content === 'string'
      ? escaped(content)
      : Object.entries(content)
          .map(([child, of]) => writeXml(child, of))
          .join('');
  return `<${name}${declared}>${inside}</${name}>`;
}

function escaped(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(UNSPEAKABLE, '\ufffd')
    .replaceAll(SPECIAL, (character) => ENTITIES[character] as string);
}
