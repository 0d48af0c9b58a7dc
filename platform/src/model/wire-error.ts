/** Whose fault an error is: decides 4xx or 5xx, and whether clients try again. */
export type Fault = 'client' | 'server';

/** What the wire says of an error besides its message. */
export interface WireErrorFacts {
  /** The error type clients match on, e.g. `ResourceNotFoundException`. */
  readonly code: string;
  /** HTTP status. */
  readonly status: number;
  readonly fault: Fault;
  /** How the body spells the message member; `message` unless said. */
  readonly messageMember?: 'message' | 'Message';
}

/**
 * An error as the caller of an API sees it. Thrown by services and by request reading, written only by the protocol.
 * An empty `message` means that the body has no message member at all.
 */
export class WireError extends Error {
  readonly code: string;
  readonly status: number;
  readonly fault: Fault;
  readonly messageMember: 'message' | 'Message';

  constructor(message: string, facts: WireErrorFacts, options?: ErrorOptions) {
    super(message, options);
    this.name = facts.code;
    this.code = facts.code;
    this.status = facts.status;
    this.fault = facts.fault;
    this.messageMember = facts.messageMember ?? 'message';
  }
}

/** The body is not of the operation's types. Source: recorded messages; the body spells the member `Message`. */
export class SerializationException extends WireError {
  constructor(message = '', options?: ErrorOptions) {
    super(message, { code: 'SerializationException', status: 400, fault: 'client', messageMember: 'Message' }, options);
  }
}

/** No such operation, or one (or a parameter) that is not implemented: 400, since a 500 would be tried again. */
export class UnknownOperationException extends WireError {
  constructor(message = '', options?: ErrorOptions) {
    super(message, { code: 'UnknownOperationException', status: 400, fault: 'client' }, options);
  }
}

/** Something failed on our side; the caller may try again. */
export class InternalFailure extends WireError {
  constructor(message = '', options?: ErrorOptions) {
    super(message, { code: 'InternalFailure', status: 500, fault: 'server' }, options);
  }
}

/** The server is starting, stopping or overloaded; the caller may try again. */
export class ServiceUnavailable extends WireError {
  constructor(message = '', options?: ErrorOptions) {
    super(message, { code: 'ServiceUnavailable', status: 503, fault: 'server' }, options);
  }
}

/** The request carries no credentials. */
export class MissingAuthenticationTokenException extends WireError {
  constructor(message = 'Missing Authentication Token', options?: ErrorOptions) {
    super(message, { code: 'MissingAuthenticationTokenException', status: 400, fault: 'client' }, options);
  }
}

/** Parts of the authorization header or query are missing. */
export class IncompleteSignatureException extends WireError {
  constructor(message = '', options?: ErrorOptions) {
    super(message, { code: 'IncompleteSignatureException', status: 400, fault: 'client' }, options);
  }
}

/** The signature does not match, is too old, or is given twice. */
export class InvalidSignatureException extends WireError {
  constructor(message = '', options?: ErrorOptions) {
    super(message, { code: 'InvalidSignatureException', status: 400, fault: 'client' }, options);
  }
}

/** The access key is not known. */
export class UnrecognizedClientException extends WireError {
  constructor(message = 'The security token included in the request is invalid.', options?: ErrorOptions) {
    super(message, { code: 'UnrecognizedClientException', status: 400, fault: 'client' }, options);
  }
}
