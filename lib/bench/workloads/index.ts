/** The table of workloads, in the order of the results. A new one is a file beside this and a line here. */
import type { Workload } from '../workload';
import { autoencoderDecode } from './autoencoder-decode';
import { autoencoderEncode } from './autoencoder-encode';
import { autoencoderTraining, demoAutoencoderTraining } from './autoencoder-training';
import { checkpointLoad } from './checkpoint-load';
import { churchesTraining, demoDiffusionTraining } from './diffusion-training';
import { churchesSampling, demoSampling } from './sampling';
import { startUp } from './start-up';
import { churchesForward, textToImageForward } from './unet-forward';

export const workloads: readonly Workload[] = [
  autoencoderEncode(256),
  autoencoderEncode(512),
  autoencoderDecode(256),
  autoencoderDecode(512),
  autoencoderTraining(128, 'before'),
  autoencoderTraining(128, 'after'),
  autoencoderTraining(256, 'before'),
  autoencoderTraining(256, 'after'),
  churchesForward(),
  churchesTraining(),
  churchesSampling(),
  textToImageForward(),
  demoAutoencoderTraining(),
  demoDiffusionTraining(),
  demoSampling(),
  checkpointLoad(),
  startUp(),
];
