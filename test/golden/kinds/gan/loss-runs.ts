/** What the cases of the adversarial losses have in common. */
import type { Module } from '../../../../lib/models/module';
import type { GoldenCase } from '../../runner/case';

/** A run as meta.runs describes it. */
export interface LossRun {
  optimizer_idx: number;
  global_step: number;
  /** 'train_nodrop' is training mode with LPIPS left in evaluation mode. */
  mode: 'train' | 'train_nodrop' | 'eval';
  split: string;
  grad: boolean;
}

export async function setMode(model: Module, mode: LossRun['mode']): Promise<void> {
  await model.train(mode !== 'eval');
  if (mode === 'train_nodrop') await (await model.getSubmodule('loss.perceptual_loss')).eval();
}

/**
 * `grad.<name>` of the named parameters and of those that `pick` chooses among the discriminator's, where they got one.
 * @param pick default: the first two and the last two
 */
export async function reportGradients(
  c: GoldenCase,
  model: Module,
  tag: string,
  names: string[],
  pick: (discriminator: string[]) => string[] = (own) => [...own.slice(0, 2), ...own.slice(-2)],
): Promise<void> {
  const parameters = await model.namedParameters();
  const own = [...parameters.keys()].filter((name) => name.startsWith('loss.discriminator'));
  for (const name of new Set([...names, ...pick(own)])) {
    const gradient = await parameters.get(name)!.grad();
    if (gradient) await c.out(`${tag}grad.${name}`, gradient);
  }
}

/** `after.<name>` of the discriminator's running statistics and ActNorm flags. */
export async function reportDiscriminatorState(c: GoldenCase, model: Module, tag: string): Promise<void> {
  for (const [name, tensor] of await model.stateDict())
    if (name.includes('discriminator') && /running|num_batches|initialized/.test(name))
      await c.out(`${tag}after.${name}`, tensor);
}
