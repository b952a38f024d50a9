/** Checkpoint files: reading in every format of the field, writing of torch's and of safetensors. */

export { type LoadIntoOptions, loadInto } from './load-into';
export { type Picklable, PyFloat, PyOrderedDict, PyTuple } from './pickle-writer';
export { type ReadOptions, readCheckpoint } from './read';
export { type SafetensorsOptions, type WriteOptions, writeSafetensors } from './safetensors-writer';
export { derived, type MadeTensor, recipeFrom, recipeOf, TensorRecipe } from './tensor-recipe';
export { type CheckpointContent, writeCheckpoint, writeTorchFile } from './torch-writer';
export * from './types';
