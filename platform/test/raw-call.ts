/** One awsJson call without an SDK; a rejected promise carries `name` and `message` as an SDK's error does. */
export async function rawCall(
  endpoint: string,
  operation: string,
  body: object,
  options: { region?: string; accessKeyId?: string; userAgent?: string } = {},
): Promise<Record<string, unknown>> {
  const { region = 'us-east-1', accessKeyId = 'test', userAgent = 'test' } = options;
  const scope = `${accessKeyId}/20260101/${region}/kinesis/aws4_request`;
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/x-amz-json-1.1',
      'X-Amz-Target': `Kinesis_20131202.${operation}`,
      'User-Agent': userAgent,
      'X-Amz-Date': '20260101T000000Z',
      Authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}`,
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  const answer = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
  if (response.ok) return answer;
  throw Object.assign(new Error(String(answer['message'])), { name: answer['__type'], status: response.status });
}
