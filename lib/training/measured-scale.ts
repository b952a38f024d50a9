/** The scale of latents, where it was measured: `ldm stats` leaves it beside a first stage's checkpoint. */
import { type Config, parseDotlist } from '../config';
import { readLatentStatistics } from '../evaluation/latent-sidecar';

const SCALE = 'model.params.scale_factor';
const BY_STD = 'model.params.scale_by_std';
const CHECKPOINT = 'model.params.first_stage_config.params.ckpt_path';

/**
 * The config with `scale_factor` from the statistics beside the checkpoint of its first stage. A config that says how to scale,
 * by `scale_factor` or `scale_by_std`, stays as it is, and so does one whose first stage was not measured.
 */
export function withMeasuredScale(config: Config, onInfo?: (message: string) => void): Config {
  const checkpoint = config.get(CHECKPOINT);
  if (typeof checkpoint !== 'string' || config.get(SCALE) !== undefined || config.get(BY_STD) === true) return config;
  const found = readLatentStatistics(checkpoint);
  if (!found) return config;
  const { file, statistics, stale } = found;
  if (stale) {
    onInfo?.(
      `${file} belongs to another state of ${checkpoint} and is not used: run ldm stats again, or set ${SCALE}.`,
    );
    return config;
  }
  onInfo?.(
    `scale_factor ${statistics.scale_factor.toPrecision(6)} = 1 / standard deviation of the latents of ${statistics.images} images (${file})`,
  );
  return config.merge(parseDotlist([`${SCALE}=${statistics.scale_factor}`]));
}
