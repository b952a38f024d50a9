/** lr_schedulers: factors of the three schedules at given steps. */
import { createLrScheduler } from '../../../lib/models/lr-schedulers';
import type { KindHandler } from '../runner/case';

const lrSchedulerKind: KindHandler = async (c) => {
  for (const [tag, spec] of Object.entries(c.meta.specs as Record<string, { class: string; params: object }>)) {
    const scheduler = createLrScheduler({ target: `ldm.lr_scheduler.${spec.class}`, params: spec.params });
    const steps: Iterable<number | bigint> = await c.input(`${tag}.steps`).data();
    await c.out(
      tag,
      Float64Array.from([...steps].map(Number), (n) => scheduler.schedule(n)),
    );
  }
};

export default lrSchedulerKind;
