/** Configs: official YAML, overrides, and the schemas of every known target. */
import './targets';

export { Config, loadConfig, mergeConfigs, parseDotlist } from './config';
export { configJsonSchema } from './json-schema';
export type { ResolvedLightning, TrainerArguments } from './lightning';
export type { ConfigMap, ConfigValue, KeyPath, Position } from './node';
export { type ResolvedProject, resolveProject } from './project';
export { type ResolvedNode, type ResolvedParams, resolveNode, type TargetNode } from './resolve';
export { type Family, knownTargets, type ParamsSchema, registerTarget, type TargetOptions } from './table';
export { toYaml } from './to-yaml';
