export { securityTokens } from './security-tokens.ts';
