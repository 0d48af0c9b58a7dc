export { DynamoDbLeaseStore, type DynamoDbLeaseStoreOptions } from './consumer/leases/dynamodb/store.ts';
