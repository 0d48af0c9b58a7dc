/** One replacement in a source file; `from` stands there exactly once. */
export interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** What must notice a mutation: the crash simulation, over seeds from 1 on, or a named test. */
export type Catcher =
  | { readonly simulation: 'fsync' | 'os' }
  | {
      /** From the root of the repository. */
      readonly testFile: string;
      /** Part of the test's full name. */
      readonly testName: string;
    };

/** A mistake that someone could make in the engine, planted on purpose. */
export interface Mutation {
  /** Lower-case words, unique. */
  readonly name: string;
  readonly edits: readonly Edit[];
  readonly caughtBy: Catcher;
}

/**
 * Applies an edit to a file's text.
 *
 * @throws Error   when the text to replace is not there exactly once: the source has moved on, and the mutation has to follow
 */
export function applyEdit(text: string, { file, from, to }: Edit): string {
  const count = text.split(from).length - 1;
  if (count !== 1) throw new Error(`${file} holds ${count} times what the mutation replaces: ${from}`);
  return text.replace(from, () => to);
}
