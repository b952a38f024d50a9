/** Retrieval databases: images by their CLIP embeddings. One line a file, sorted. */
export { type BuildGraphOptions, buildGraph } from './build-graph';
export { type BuildIndexOptions, type BuiltIndex, buildIndex } from './build-index';
export { type Neighbour, type Neighbours, RetrievalDatabase } from './database';
