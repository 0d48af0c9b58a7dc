import assert from 'node:assert/strict';
import { reportedCount, type Violation } from './violations.ts';

/** A server may cut a value that it repeats, but not before so many characters. */
const echoCharactersMin = 30_000;

/**
 * Holds a message against what it must say. Neither the order of the violations nor that of enumeration values
 * matters. Source: data-streams reference §2.2.
 */
export function assertViolationMessage(message: string | undefined, violations: readonly Violation[]): void {
  const count = reportedCount(violations);
  const head = `${count} validation ${count === 1 ? 'error' : 'errors'} detected: `;
  assert.ok(
    message !== undefined && message.startsWith(head),
    `the message begins with "${head}", not ${short(message)}`,
  );
  const parts = message.slice(head.length).split(/; (?=Value )/);
  assert.equal(parts.length, count, `violations told: ${short(message)}`);
  const left = [...violations];
  for (const part of parts) {
    const index = left.findIndex((violation) => tells(part, violation));
    assert.ok(
      index >= 0,
      `"${short(part)}" is none of: ${left.map(({ path, constraint }) => `${path}: ${constraint}`).join('; ')}`,
    );
    left.splice(index, 1);
  }
}

function tells(part: string, { value, path, constraint, mayOmitValue }: Violation): boolean {
  const end = ` at '${path}' failed to satisfy constraint: ${constraint}`;
  const told = withSortedValues(part).replaceAll(/@[0-9a-f]+/g, '@#');
  if (!told.startsWith('Value') || !told.endsWith(end)) return false;
  const shown = told.slice('Value'.length, -end.length);
  if (value === undefined) return shown === ' null';
  if (shown === ` '${value}'` || (shown === '' && mayOmitValue)) return true;
  return (
    shown.length > echoCharactersMin && shown.endsWith("'") && ` '${value}'`.startsWith(shown.slice(0, -"@#'".length))
  );
}

function withSortedValues(part: string): string {
  return part.replace(
    /enum value set: \[([^\]]*)\]/,
    (_, values: string) => `enum value set: [${values.split(', ').sort().join(', ')}]`,
  );
}

function short(text: string | undefined): string {
  return text === undefined || text.length <= 300 ? String(text) : `${text.slice(0, 300)}…`;
}
