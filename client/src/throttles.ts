const throttles: ReadonlySet<string> = new Set([
  'ProvisionedThroughputExceededException',
  'ThrottlingException',
  'LimitExceededException',
  'KMSThrottlingException',
]);

/** Whether an error's code says that a shard, an operation or a key behind it is asked for too much. */
export function isThrottle(code: string): boolean {
  return throttles.has(code);
}
