/** A whole project config: `model`, `data` and `lightning`, checked together so that all mistakes are told at once. */
import type { Config } from './config';
import { checkLightning, type ResolvedLightning } from './lightning';
import { type Problem, show } from './problems';
import { checkNode, problemsOf, type ResolvedNode } from './resolve';
import { didYouMean } from './suggest';

const SECTIONS = ['model', 'data', 'lightning'];

/** A project with every option filled in. */
export interface ResolvedProject {
  model: ResolvedNode;
  /** `model.base_learning_rate`, before it is scaled by batch size, devices and accumulation. */
  baseLearningRate: number | null;
  /** Null when the config has no `data` section, or when it is replaced. */
  data: ResolvedNode | null;
  lightning: ResolvedLightning;
}

/**
 * Checks a project config and fills in every default.
 * @param options.replaceData leave the `data` section alone: something else gives the images
 * @throws LdmError ERR_CONFIG with every mistake, each with file, line and key path
 */
export function resolveProject(config: Config, options: { replaceData?: boolean } = {}): ResolvedProject {
  const { model, data, lightning, ...stray } = config.values;
  const problems: Problem[] = Object.keys(stray).map((key) => ({
    path: [key],
    message: `unknown section.${didYouMean(key, SECTIONS) || ` Known sections: ${SECTIONS.join(', ')}`}`,
  }));
  const within = (section: string, found: readonly Problem[]) => {
    problems.push(...found.map((problem) => ({ ...problem, path: [section, ...problem.path] })));
  };
  const checkedModel = checkNode(model, ['autoencoder', 'diffusion', 'classifier']);
  within('model', checkedModel.problems);
  const rate = config.get('model.base_learning_rate') ?? null;
  if (rate !== null && !(typeof rate === 'number' && rate >= 0)) {
    within('model', [
      { path: ['base_learning_rate'], message: `expected a number of at least 0, received ${show(rate)}` },
    ]);
  }
  const wantsData = data !== undefined && data !== null && !options.replaceData;
  const checkedData = wantsData ? checkNode(data, ['data module']) : undefined;
  within('data', checkedData?.problems ?? []);
  const monitor = checkedModel.value?.params.monitor;
  const checkedLightning = checkLightning(lightning ?? undefined, typeof monitor === 'string' ? monitor : null);
  within('lightning', checkedLightning.problems);

  if (problems.length > 0) throw problemsOf(config.values, problems);
  return {
    model: checkedModel.value as ResolvedNode,
    baseLearningRate: rate as number | null,
    data: checkedData?.value ?? null,
    lightning: checkedLightning.value as ResolvedLightning,
  };
}
