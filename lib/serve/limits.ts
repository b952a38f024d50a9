/** What a server lets one request ask for. */

export interface ServeLimits {
  /** Pixels of one picture, drawn or uploaded into a model. */
  pixels: number;
  /** Steps of a sampler. */
  steps: number;
  /** Pictures of one request; frames of an interpolation. */
  batch: number;
  /** Waiting requests of all clients together. */
  queue: number;
  /** Waiting requests of one address. */
  queuePerClient: number;
  /** Bytes of the body of a request. */
  uploadBytes: number;
  /** Pixels of an uploaded file before it is made smaller. */
  uploadPixels: number;
  /** Characters of a prompt. */
  promptLength: number;
  /** Bytes of finished pictures that are kept for their clients. */
  resultBytes: number;
  /** Bytes of checkpoints whose models stay loaded beside the one in use. */
  modelBytes: number;
  /** Milliseconds after which a request is given up that nobody listens to. */
  abandonedMs: number;
  /** Open event streams. */
  streams: number;
}

export const DEFAULT_LIMITS: Readonly<ServeLimits> = {
  pixels: 1024 * 1024,
  steps: 1000,
  batch: 16,
  queue: 64,
  queuePerClient: 16,
  uploadBytes: 16 << 20,
  uploadPixels: 40_000_000,
  promptLength: 2000,
  resultBytes: 256 << 20,
  modelBytes: 2 ** 31,
  abandonedMs: 60_000,
  streams: 200,
};
