/** Why a record or a call failed. */
export interface CallFailure {
  readonly code: string;
  readonly message: string;
}

/** Doing the same again would end the same. */
const permanent: ReadonlySet<string> = new Set([
  'AccessDeniedException',
  'InvalidArgumentException',
  'InvalidSignatureException',
  'ResourceNotFoundException',
  'SerializationException',
  'UnknownOperationException',
  'UnrecognizedClientException',
  'ValidationException',
]);

export function isPermanent(code: string): boolean {
  return permanent.has(code);
}

/** What the SDK, or the system below it, calls the error. */
export function readFailure(error: unknown, isTimedOut: boolean): CallFailure {
  if (isTimedOut)
    return { code: 'RequestTimeout', message: 'There was no answer in time; the records may have been put.' };
  if (!(error instanceof Error)) return { code: 'Unknown', message: String(error) };
  const { code } = error as { code?: unknown };
  return { code: typeof code === 'string' ? code : error.name, message: error.message };
}
