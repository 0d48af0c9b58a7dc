/** One line that holds a value. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What belongs together under one HELP and one TYPE. */
export interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: Sample[];
}

const metricName = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const label = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"`;
const helpLine = new RegExp(`^# HELP (${metricName}) ((?:[^\\\\]|\\\\[\\\\n])+)$`);
const typeLine = new RegExp(`^# TYPE (${metricName}) (counter|gauge|histogram|summary|untyped)$`);
const sampleLine = new RegExp(
  `^(${metricName})(?:\\{(${label}(?:,${label})*)\\})? ([-+]?(?:\\d+(?:\\.\\d+)?(?:e[-+]?\\d+)?|Inf)|NaN)$`,
  'i',
);

/** Reads the text format 0.0.4 and throws at the first line that breaks its rules. */
export function parsePrometheusText(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let help: RegExpExecArray | undefined;
  let current: { name: string; family: Family } | undefined;
  if (!text.endsWith('\n')) throw new Error('the last line is not ended');
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    if (line.startsWith('# HELP ')) {
      help = helpLine.exec(line) ?? fail(line, 'a HELP of another form');
    } else if (line.startsWith('# TYPE ')) {
      const [, name, type] = typeLine.exec(line) ?? fail(line, 'a TYPE of another form');
      if (help?.[1] !== name) fail(line, 'without its HELP before it');
      if (families.has(name as string)) fail(line, 'told twice');
      current = { name: name as string, family: { type: type as string, help: help?.[2] as string, samples: [] } };
      families.set(current.name, current.family);
    } else {
      const sample = readSample(line);
      const key = JSON.stringify([sample.name, sample.labels]);
      if (seen.has(key)) fail(line, 'told twice');
      seen.add(key);
      if (current === undefined || !isOf(current, sample)) fail(line, 'not below its TYPE');
      current?.family.samples.push(sample);
    }
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family);
  return families;
}

function readSample(line: string): Sample {
  const [, name, labelText = '', value] = sampleLine.exec(line) ?? fail(line, 'a value of another form');
  const labels: Record<string, string> = {};
  for (const [, key, text] of labelText.matchAll(/([a-zA-Z0-9_]+)="((?:[^"\\]|\\.)*)"/g))
    labels[key as string] = text as string;
  return { name: name as string, labels, value: Number((value as string).replace(/inf/i, 'Infinity')) };
}

function isOf({ name, family }: { name: string; family: Family }, sample: Sample): boolean {
  if (family.type !== 'histogram') return sample.name === name && !('le' in sample.labels);
  if (sample.name === `${name}_bucket`) return 'le' in sample.labels;
  return sample.name === `${name}_sum` || sample.name === `${name}_count`;
}

/** Buckets of a series rise in bound and count, and the last holds all. */
function checkHistogram(name: string, { samples }: Family): void {
  const series = new Map<string, { bounds: number[]; counts: number[] }>();
  const keyOf = ({ labels }: Sample): string =>
    JSON.stringify(Object.entries(labels).filter(([label]) => label !== 'le'));
  for (const sample of samples.filter((each) => each.name === `${name}_bucket`)) {
    const each = series.get(keyOf(sample)) ?? { bounds: [], counts: [] };
    series.set(keyOf(sample), each);
    each.bounds.push(Number((sample.labels['le'] as string).replace('Inf', 'Infinity')));
    each.counts.push(sample.value);
  }
  for (const [key, { bounds, counts }] of series) {
    if (bounds.at(-1) !== Infinity) fail(name, 'has no bucket for all');
    for (let i = 1; i < bounds.length; i++) {
      if ((bounds[i] as number) <= (bounds[i - 1] as number)) fail(name, 'has bounds that do not rise');
      if ((counts[i] as number) < (counts[i - 1] as number)) fail(name, 'has counts that fall');
    }
    const count = samples.find((each) => each.name === `${name}_count` && keyOf(each) === key);
    if (count?.value !== counts.at(-1)) fail(name, 'counts other than its last bucket');
    if (!samples.some((each) => each.name === `${name}_sum` && keyOf(each) === key)) fail(name, 'has no sum');
  }
}

function fail(line: string, what: string): never {
  throw new Error(`${what}: ${line}`);
}
