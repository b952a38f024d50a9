/** The public interface of node-ldm. One line per file, sorted. */
export { cacheFolder } from './cache';
export * from './checkpoint';
export * from './config';
export * from './convert';
export * from './data';
export { LdmError, type LdmErrorCode } from './errors';
export * from './inspect';
export { type CallOptions, noGrad, type RandomSource } from './job';
export { type DownloadedWeights, type DownloadLpipsOptions, downloadLpips } from './lpips-download';
export * from './models';
export { type LoadedModel, type LoadModelOptions, loadModel } from './models/load-model';
export * from './pictures';
export { Generator, Recorder, Tape, type TapeItem } from './random';
export * from './sampling';
export { type DType, Tensor, type TensorData, type TensorOptions } from './tensor';
export * from './text';
export * from './training';
