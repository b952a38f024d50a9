export * from './read';
export * from './types';
