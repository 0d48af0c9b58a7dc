import { decode } from '../wire/call.ts';
import type { Answer, Outcome } from './answer.ts';
import type { Attack } from './attack.ts';

/** Errors that are the client's fault. Anything else would blame the server, or is not known to SDKs. */
const clientErrors = new Set([
  'AccessDeniedException',
  'ExpiredIteratorException',
  'ExpiredNextTokenException',
  'IncompleteSignatureException',
  'InvalidArgumentException',
  'InvalidSignatureException',
  'LimitExceededException',
  'MissingAuthenticationTokenException',
  'ResourceInUseException',
  'ResourceNotFoundException',
  'SerializationException',
  'UnknownOperationException',
  'UnrecognizedClientException',
  'ValidationException',
  'InvalidAction',
  'ValidationError',
]);
/** Refusals of HTTP itself, which have no body. Source: data-streams reference §1.1 for 413; RFC 9110 for the others. */
const statusesWithoutBody = new Set([400, 405, 408, 413, 417, 431]);

/** Why an outcome is wrong; undefined when it is right. */
export function judge(outcome: Outcome, attack: Attack): string | undefined {
  const { answers, isClosed, isLate } = outcome;
  if (isLate) return `no answer in time, and the connection is still open; ${answers.length} answers before`;
  const wrong = answers.map((answer) => misshapen(answer)).find((why) => why !== undefined);
  if (wrong !== undefined) return wrong;
  const [first, ...others] = answers;
  switch (attack.expects) {
    case 'refused':
      if (answers.length !== 1) return `${answers.length} answers${isClosed ? ', and closed' : ''}`;
      return notRefused(first as Answer, attack.types);
    case 'refused or closed':
      if (answers.length === 0 && !isClosed) return 'neither an answer nor closed';
      return firstOf(answers, (answer) => notRefused(answer, attack.types));
    case 'survived':
      return answers.length === 0 && !isClosed ? 'neither an answer nor closed' : undefined;
    case 'good, then refused or closed':
      if (first?.status !== 200) return `the good request was answered ${first?.status ?? 'by nothing'}`;
      if (others.length === 0 && !isClosed) return 'nothing after the good answer, and not closed';
      return firstOf(others, (answer) => notRefused(answer, attack.types));
  }
}

function firstOf(answers: readonly Answer[], wrong: (answer: Answer) => string | undefined): string | undefined {
  return answers.map(wrong).find((why) => why !== undefined);
}

function notRefused(answer: Answer, types: readonly string[] | undefined): string | undefined {
  if (answer.status < 400 || answer.status > 499) return `answered ${describe(answer)}`;
  const type = typeOf(answer);
  if (types === undefined || (type !== undefined && types.includes(type))) return undefined;
  return `answered ${describe(answer)}, and not of the type ${types.join(' or ')}`;
}

/** What is wrong with an answer, whatever was asked. */
function misshapen(answer: Answer): string | undefined {
  const { status, headers, body } = answer;
  if (status >= 500 || status < 200 || (status >= 300 && status < 400)) return `answered ${describe(answer)}`;
  if (status < 300) return undefined;
  if (body.length === 0) return statusesWithoutBody.has(status) ? undefined : `${status} without a body`;
  const type = typeOf(answer);
  if (type === undefined) return `a body that says no error type: ${describe(answer)}`;
  if (!clientErrors.has(type)) return `an error type that is not the client's: ${describe(answer)}`;
  if (headers === undefined) return undefined;
  const isLocal = headers['cache-control'] === 'no-store' || type === 'AccessDeniedException';
  if (!isLocal && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(headers['x-amzn-requestid'] ?? '')) {
    return `no request id: ${describe(answer)}`;
  }
  const told = headers['x-amzn-errortype'];
  return told === undefined || told === type ? undefined : `the header says ${told}: ${describe(answer)}`;
}

/** The error type of any of the forms that the reference, §1.5, has, and of the query protocol's. */
function typeOf({ body }: Answer): string | undefined {
  const text = body.toString('latin1');
  const xml =
    /^<([A-Z]\w+?)(?:\/>|>\n)/.exec(text)?.[1] ??
    /^<ErrorResponse xmlns="[^"]+"><Error><Type>Sender<\/Type><Code>(\w+)</.exec(text)?.[1];
  if (xml !== undefined) return xml;
  const content = contentOf(body) as { __type?: unknown; Output?: { __type?: unknown }; error?: unknown } | undefined;
  const type = content?.__type ?? content?.Output?.__type;
  if (typeof type === 'string') return type.split('#').at(-1);
  // The origin rule and the routes of the server itself.
  return typeof content?.error === 'string' ? 'AccessDeniedException' : undefined;
}

function contentOf(body: Buffer): unknown {
  for (const encoding of ['json', 'cbor'] as const) {
    try {
      const content = decode(body, encoding);
      if (typeof content === 'object') return content ?? undefined;
    } catch {
      // It is of the other encoding, or of none.
    }
  }
  return undefined;
}

function describe({ status, headers, body }: Answer): string {
  return `${status} ${headers?.['content-type'] ?? ''} ${JSON.stringify(body.toString('latin1', 0, 300))}`;
}
