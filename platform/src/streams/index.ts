export { StreamsService } from './service.ts';
export type { SubscriptionTimes } from './subscriptions.ts';
export { rateLimitProfile, rateLimits, type RateLimitName, type RateLimits } from './limits.ts';
