export { type Credentials } from './auth/verifier.ts';
export { type Call, type Handler } from './call.ts';
export { type Certificate, generateCertificate } from './certificate.ts';
export { defaultLimits, type ProtocolLimits } from './limits.ts';
export { type Listener, listen, type ListenerOptions } from './listener.ts';
export { type LocalRoute } from './pipeline/local-routes.ts';
