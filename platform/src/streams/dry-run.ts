import { DryRunOperationException } from '../model/index.ts';

/** Called when every check has passed and before anything is read or written. @throws DryRunOperationException when that is all that was asked for */
export function refuseDryRun(isDryRun: boolean | undefined): void {
  if (isDryRun === true)
    throw new DryRunOperationException('The request would have succeeded, but the DryRun flag is set.');
}
