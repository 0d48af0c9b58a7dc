import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';

/** The command line cannot be understood. */
export class UsageError extends Error {}

export interface ParsedArgs {
  readonly values: Readonly<Record<string, unknown>>;
  readonly positionals: readonly string[];
}

/** Reads flags and words; undefined when `--help` was asked for (and `help` printed). @throws UsageError */
export function parseCommand(
  args: readonly string[],
  options: ParseArgsOptionsConfig,
  help: () => string,
  positionalsMax: number,
): ParsedArgs | undefined {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      options: { ...options, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
      strict: true,
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const { help: isHelp, ...values } = parsed.values;
  if (isHelp === true) {
    process.stdout.write(help());
    return undefined;
  }
  if (parsed.positionals.length > positionalsMax) {
    throw new UsageError(`"${parsed.positionals[positionalsMax]}" is one word too many`);
  }
  return { values, positionals: parsed.positionals };
}
