import type { Metric } from '../scenario.ts';

export function higher(key: string, title: string, digits = 0): Metric {
  return { key, title, digits, better: 'higher' };
}

export function lower(key: string, title: string, digits = 1): Metric {
  return { key, title, digits, better: 'lower' };
}

/** What every load tells about the server. */
export const usageMetrics: readonly Metric[] = [
  lower('serverCpuPercent', 'server CPU %', 0),
  lower('serverRssPeakMB', 'peak RSS MB', 0),
  lower('loadCpuPercent', 'load CPU %', 0),
  lower('othersCpuPercent', 'CPU % of others', 0),
];
