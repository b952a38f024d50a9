/** Whether a class-conditional model has room for the classes of its data. */
import type { ResolvedNode } from '../config';
import type { DataModuleFromConfig } from '../data/data-module';
import { LdmError } from '../errors';

/**
 * Compares ClassEmbedder's `n_classes` with the classes of each data set.
 * @throws LdmError ERR_CONFIG when there are more classes than the embedding has rows
 */
export function checkClasses(model: ResolvedNode, data: DataModuleFromConfig): void {
  const stage = model.params.cond_stage_config as ResolvedNode | string | null | undefined;
  if (!stage || typeof stage === 'string' || stage.target !== 'ldm.modules.encoders.modules.ClassEmbedder') return;
  const rows = Number(stage.params.n_classes);
  for (const [split, { classNames }] of data.datasets)
    if (classNames.length > rows)
      throw new LdmError(
        'ERR_CONFIG',
        `The data set '${split}' has ${classNames.length} classes, but n_classes of the model's ClassEmbedder is ${rows}. Set model.params.cond_stage_config.params.n_classes=${classNames.length}.`,
      );
}
