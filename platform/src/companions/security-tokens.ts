import { partitionOf } from '../model/index.ts';

/** Who asks, as far as an answer needs it. */
interface Caller {
  /** 12 digits. */
  readonly account: string;
  readonly region: string;
}

/**
 * The Security Token Service as far as clients of Kinesis need it. The Kinesis Producer Library asks it for its account, to make ARNs of
 * stream names, before it puts anything, and ends when there is no answer; Terraform asks, too.
 */
export const securityTokens = {
  service: 'sts',
  version: '2011-06-15',
  namespace: 'https://sts.amazonaws.com/doc/2011-06-15/',
  operations: {
    /** Access keys are not users of their own: whoever has one is the account itself. */
    GetCallerIdentity: (
      _form: URLSearchParams,
      { account, region }: Caller,
    ): { Arn: string; UserId: string; Account: string } => ({
      Arn: `arn:${partitionOf(region)}:iam::${account}:root`,
      UserId: account,
      Account: account,
    }),
  },
};
