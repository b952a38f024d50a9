/** Official configs <-> diffusers' config.json files. */
export { autoencoderFromJson, autoencoderToJson, type FirstStage, isQuantized } from './autoencoder';
export { type SchedulerClass, schedulerFromJson, schedulerToJson } from './scheduler';
export {
  type ClipTextSizes,
  clipTextFromJson,
  clipTextToJson,
  frozenClipParams,
  frozenClipSizes,
  ldmBertFromJson,
  ldmBertToJson,
  openClipSizes,
} from './text-encoders';
export { configJson, Findings, type Json } from './translation';
export { type TranslatedUNet, unetFromJson, unetToJson } from './unet';
