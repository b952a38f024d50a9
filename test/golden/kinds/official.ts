/** One part of an official model at its real size: official/<part>.ts, by the first word of the case's name. */
import type { KindHandler } from '../runner/case';

const official: KindHandler = async (c) => {
  const part = /^official_([a-z]+)/.exec(c.meta.case)?.[1];
  if (!part) throw new Error(`Expected a case named official_<part>_<model> but found ${c.meta.case}`);
  const module: { default: KindHandler } = await import(`./official/${part}`);
  await module.default(c);
};

export default official;
