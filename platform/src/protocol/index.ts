export { type Credential, type Credentials } from './auth/verifier.ts';
export { type Call, type Handler, type ServiceBinding } from './call.ts';
export { type Certificate, generateCertificate, type GeneratedCertificate } from './certificate.ts';
export { defaultLimits, type ProtocolLimits } from './limits.ts';
export { type Listener, listen, type ListenerOptions } from './listener.ts';
export { type LocalRoute } from './pipeline/local-routes.ts';
