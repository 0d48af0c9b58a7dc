import { describe, expect, it } from 'vitest';
import {
  IncompleteSignatureException,
  InternalFailure,
  InvalidSignatureException,
  MissingAuthenticationTokenException,
  SerializationException,
  ServiceUnavailable,
  UnknownOperationException,
  UnrecognizedClientException,
  WireError,
} from './wire-error.ts';

describe('wire errors outside the model', () => {
  it.each([
    ['SerializationException', SerializationException, 400, 'client', 'Message'],
    ['UnknownOperationException', UnknownOperationException, 400, 'client', 'message'],
    ['InternalFailure', InternalFailure, 500, 'server', 'message'],
    ['ServiceUnavailable', ServiceUnavailable, 503, 'server', 'message'],
    ['MissingAuthenticationTokenException', MissingAuthenticationTokenException, 400, 'client', 'message'],
    ['IncompleteSignatureException', IncompleteSignatureException, 400, 'client', 'message'],
    ['InvalidSignatureException', InvalidSignatureException, 400, 'client', 'message'],
    ['UnrecognizedClientException', UnrecognizedClientException, 400, 'client', 'message'],
  ] as const)('%s has its code, status, fault and message member', (code, ErrorClass, status, fault, messageMember) => {
    const error = new ErrorClass('why', { cause: 'that' });
    expect(error).toBeInstanceOf(WireError);
    expect(error).toMatchObject({ code, name: code, status, fault, messageMember, message: 'why', cause: 'that' });
  });

  it('has the texts of the service where they never vary', () => {
    expect(new MissingAuthenticationTokenException().message).toBe('Missing Authentication Token');
    expect(new UnrecognizedClientException().message).toBe('The security token included in the request is invalid.');
    expect(new SerializationException().message).toBe('');
    expect(new UnknownOperationException().message).toBe('');
  });
});
