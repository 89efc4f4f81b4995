export { SavedStrategy as Component } from './Strategy';
