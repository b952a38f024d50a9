/** The first stage of an official config, without its training loss and without the checkpoint that it names. */
import type { GoldenCase, TargetNode } from '../../runner/case';

export function firstStageNode(c: GoldenCase): TargetNode {
  const { target, params }: TargetNode = c.model!.params!.first_stage_config ?? c.model!;
  const { ckpt_path: _, ...rest } = params!;
  return { target, params: { ...rest, lossconfig: { target: 'torch.nn.Identity' } } };
}
