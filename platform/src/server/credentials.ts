import { readTextFile } from '../kernel/text-file.ts';
import type { Credentials } from '../protocol/index.ts';
import { ConfigError } from './config.ts';

/**
 * Reads a credentials file of the form AWS tools use: sections with `aws_access_key_id`, `aws_secret_access_key`
 * and, for the account the key belongs to, `aws_account_id` (12 digits; without it `000000000000`).
 *
 * @throws ConfigError
 */
export function readCredentials(path: string): Credentials {
  let text: string;
  try {
    text = readTextFile(path);
  } catch (error) {
    throw new ConfigError(`the credentials file ${path} cannot be read: ${(error as Error).message}`);
  }
  const credentials = new Map<string, { secretKey: string; account: string }>();
  for (const section of text.split(/^\s*\[.*\]\s*$/m)) {
    const fields = new Map([...section.matchAll(/^\s*([a-z_]+)\s*=\s*(\S+)\s*$/gm)].map((each) => [each[1], each[2]]));
    const accessKeyId = fields.get('aws_access_key_id');
    const secretKey = fields.get('aws_secret_access_key');
    if (accessKeyId === undefined && secretKey === undefined) continue;
    const account = fields.get('aws_account_id') ?? '000000000000';
    if (accessKeyId === undefined || secretKey === undefined) {
      throw new ConfigError(
        `the credentials file ${path} has a section with only one of aws_access_key_id and aws_secret_access_key`,
      );
    }
    if (!/^\d{12}$/.test(account))
      throw new ConfigError(`aws_account_id of ${accessKeyId} in ${path} is not of 12 digits`);
    credentials.set(accessKeyId, { secretKey, account });
  }
  if (credentials.size === 0) throw new ConfigError(`the credentials file ${path} holds no key`);
  return credentials;
}
