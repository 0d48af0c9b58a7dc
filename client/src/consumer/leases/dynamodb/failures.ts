import { ClientError } from '../../../errors.ts';
import { isPermanent, readFailure } from '../../../producer/failures.ts';

const permissions =
  'DescribeTable, CreateTable, Scan, GetItem, PutItem, UpdateItem and DeleteItem (each with dynamodb: in front)';

/** What a failed call throws. @param call   its name in the API */
export function callFailure(error: unknown, call: string, table: string): ClientError {
  const { code, message } = readFailure(error, false);
  if (code === 'AccessDeniedException') {
    return new ClientError(
      'MR_LEASES_ACCESS_DENIED',
      `${call} on the lease table ${table} is not allowed. The role of a consumer needs ${permissions} there; without CreateTable, make the table first: partition key leaseKey, a string. ${message}`,
      { cause: error },
    );
  }
  if (code === 'ResourceNotFoundException') {
    return new ClientError(
      'MR_LEASES_NO_TABLE',
      `The lease table ${table} has been deleted. A consumer that is opened again makes it, and begins where new ones do.`,
      { cause: error },
    );
  }
  return new ClientError('MR_LEASES_CALL_FAILED', `${call} on the lease table ${table} failed: ${code}: ${message}`, {
    cause: error,
    isRetryable: !isPermanent(code),
  });
}
