export { NewStrategy as Component } from './Strategy';
