/** From conditions to pictures, one function for each of the official scripts. One line a file, sorted. */
export {
  type ChangeOptions,
  changePictures,
  encodePictures,
  type RepaintOptions,
  repaint,
  stepOfStrength,
} from './change-pictures';
export { type ClassToImageOptions, classCountOf, classToImage } from './class-to-image';
export type { PipelineOptions } from './draw';
export { type GuidedOptions, guidedImages, type InterpolateOptions, interpolateImages } from './draw-guided';
export { encodeGuide, type Guide, type GuideConditions } from './guide';
export { type ImageToImageOptions, imageToImage } from './image-to-image';
export { type InpaintOptions, inpaint, inpaintConditioning, isInpaintingModel } from './inpaint';
export { type InpaintByTextOptions, inpaintByText, isTextInpaintingModel } from './inpaint-by-text';
export { isLayoutModel, type LayoutToImageOptions, layoutToImage } from './layout-to-image';
export { isRetrievalModel, type RetrievalToImageOptions, retrievalToImage } from './retrieval-to-image';
export { labelCountOf, type SegmentationToImageOptions, segmentationToImage } from './segmentation-to-image';
export { firstStageFactor, latentMultiple, latentShape, type PictureSize, trainedSize } from './sizes';
export {
  isSuperResolutionModel,
  type SuperResolveOptions,
  superResolutionPatches,
  superResolve,
} from './super-resolution';
export { type TextOptions, type TextToImageOptions, textToImage } from './text-to-image';
export { type UnconditionalOptions, unconditionalImages } from './unconditional';
export { isTextUpscalingModel, type UpscaleByTextOptions, upscaleByText } from './upscale-by-text';
