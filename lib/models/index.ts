/** Every typed model; each file registers its class for its target. One line a file, sorted. */
export * from './module';
export * from './registry';
