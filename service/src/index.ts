export { serviceCatalogue } from './catalogue.ts';
