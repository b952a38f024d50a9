/** The table of commands, in the order of the help. A new command is one line here and one file beside this. */
import type { CommandDefinition } from '../command';

export interface CommandEntry {
  name: string;
  summary: string;
  load(): Promise<CommandDefinition>;
}

export const commands: readonly CommandEntry[] = [
  {
    name: 'demo',
    summary: 'draw a grid of pictures with the bundled model, or train small models in a few minutes',
    load: async () => (await import('./demo')).demo,
  },
  {
    name: 'serve',
    summary: 'open the web demo: draw, edit and reconstruct pictures in a browser, watch trainings',
    load: async () => (await import('./serve')).serve,
  },
  {
    name: 'init',
    summary: 'look at a folder of images and write configs to train on it',
    load: async () => (await import('./init')).init,
  },
  {
    name: 'train',
    summary: 'train an autoencoder or a diffusion model of a config on images',
    load: async () => (await import('./train')).train,
  },
  {
    name: 'sample',
    summary: 'draw pictures with a trained diffusion model',
    load: async () => (await import('./sample')).sample,
  },
  {
    name: 'txt2img',
    summary: 'draw pictures of texts',
    load: async () => (await import('./txt2img')).txt2img,
  },
  {
    name: 'img2img',
    summary: 'change a picture as a text says',
    load: async () => (await import('./img2img')).img2img,
  },
  {
    name: 'inpaint',
    summary: 'fill in the masked parts of pictures',
    load: async () => (await import('./inpaint')).inpaint,
  },
  {
    name: 'superres',
    summary: 'enlarge pictures four times',
    load: async () => (await import('./superres')).superres,
  },
  {
    name: 'semantic',
    summary: 'draw pictures of label maps',
    load: async () => (await import('./semantic')).semantic,
  },
  {
    name: 'layout2img',
    summary: 'draw pictures of layouts: boxes with classes',
    load: async () => (await import('./layout2img')).layout2img,
  },
  {
    name: 'reconstruct',
    summary: 'encode and decode images with a first stage, side by side with the PSNR',
    load: async () => (await import('./reconstruct')).reconstruct,
  },
  {
    name: 'interpolate',
    summary: 'draw the pictures between two seeds, texts or classes',
    load: async () => (await import('./interpolate')).interpolate,
  },
  {
    name: 'grid',
    summary: 'arrange images in a grid',
    load: async () => (await import('./grid')).grid,
  },
  {
    name: 'evaluate',
    summary: 'measure PSNR, SSIM, LPIPS and FID of two folders, or of a first stage',
    load: async () => (await import('./evaluate')).evaluate,
  },
  {
    name: 'stats',
    summary: 'measure the latents of a first stage and keep their scale for diffusion models on it',
    load: async () => (await import('./stats')).stats,
  },
  {
    name: 'knn2img',
    summary: 'draw pictures of texts and of images near them (retrieval-augmented diffusion)',
    load: async () => (await import('./knn2img')).knn2img,
  },
  {
    name: 'index',
    summary: 'build or bring up to date a retrieval database of a folder of images',
    load: async () => (await import('./index-images')).indexImages,
  },
  {
    name: 'degrade',
    summary: 'make the low-resolution images that super-resolution learns from, with a contact sheet',
    load: async () => (await import('./degrade')).degrade,
  },
  {
    name: 'plot',
    summary: 'draw noise schedules, loss functions, the losses of a training, and what a model does to a picture',
    load: async () => (await import('./plot')).plot,
  },
  {
    name: 'convert',
    summary: 'convert between checkpoints, safetensors and diffusers folders',
    load: async () => (await import('./convert')).convert,
  },
  {
    name: 'inspect',
    summary: 'show what a config, checkpoint or safetensors file holds',
    load: async () => (await import('./inspect')).inspect,
  },
  {
    name: 'setup',
    summary: 'find or get libtorch for the installed package, or compile the addon',
    load: async () => (await import('./setup')).setup,
  },
  {
    name: 'bench',
    summary: 'measure how fast this machine is, beside PyTorch where a Python has it',
    load: async () => (await import('./bench')).bench,
  },
  {
    name: 'schema',
    summary: 'print the JSON schema of the configs, for editors',
    load: async () => (await import('./schema')).schema,
  },
  {
    name: 'completion',
    summary: 'print the script that completes commands and options in a shell',
    load: async () => (await import('./completion')).completion,
  },
  {
    name: 'doctor',
    summary: 'check the installation: what is there, what is needed, what to do',
    load: async () => (await import('./doctor')).doctor,
  },
  {
    name: 'download',
    summary: 'get the weights of LPIPS, of FID’s Inception or of CLIP into the cache folder',
    load: async () => (await import('./download')).download,
  },
];
