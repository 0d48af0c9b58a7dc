import { InvalidArgumentError } from './errors.ts';

/** What settings may be. */
export interface TuningRules<Tuning> {
  readonly defaults: Tuning;
  /** Of numbers: the least and the most. */
  readonly bounds: Readonly<Partial<Record<keyof Tuning, readonly [number, number]>>>;
  /** Of texts. */
  readonly choices: Readonly<Partial<Record<keyof Tuning, readonly string[]>>>;
  /** Names that another library has for them. */
  readonly aliases: Readonly<Partial<Record<string, keyof Tuning>>>;
  /** That library. */
  readonly aliasedBy: string;
}

/** Defaults filled in, other names taken, bounds checked; what is no setting is left out. @throws InvalidArgumentError */
export function readTuning<Tuning extends object>(options: object, rules: TuningRules<Tuning>): Tuning {
  const { defaults, aliases, aliasedBy } = rules;
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const own = Object.hasOwn(aliases, name) ? (aliases[name] as string) : name;
    if (own !== name && Object.hasOwn(options, own)) {
      throw new InvalidArgumentError(`${name} is the ${aliasedBy}'s name for ${own}: give one of them`);
    }
    if (Object.hasOwn(defaults, own)) given[own] = value;
  }
  const tuning = { ...defaults, ...given };
  for (const [name, value] of Object.entries(tuning)) check(name as keyof Tuning & string, value, rules);
  return tuning;
}

function check<Tuning>(name: keyof Tuning & string, value: unknown, rules: TuningRules<Tuning>): void {
  const wanted = typeof rules.defaults[name];
  if (typeof value !== wanted) throw new InvalidArgumentError(`${name} is a ${wanted}, and not ${String(value)}`);
  const choices = rules.choices[name];
  if (choices !== undefined && !choices.includes(value as string)) {
    throw new InvalidArgumentError(`${name} is ${choices.join(' or ')}, and not ${String(value)}`);
  }
  const [least, most] = rules.bounds[name] ?? [];
  if (least === undefined || most === undefined) return;
  const number = value as number;
  if (!(number >= least && number <= most)) {
    throw new InvalidArgumentError(`${name} is from ${least} to ${most}, and not ${number}`);
  }
}
