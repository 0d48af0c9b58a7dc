export { Catalog, type ApplyContext, type CatalogDomain } from './catalog.ts';
