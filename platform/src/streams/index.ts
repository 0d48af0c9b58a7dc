export { StreamsService } from './service.ts';
export { rateLimitProfile, rateLimits, type RateLimitName, type RateLimits } from './limits.ts';
