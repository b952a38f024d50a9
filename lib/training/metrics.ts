/** Numbers of training by name, and their means. */

/** Names and values, such as `train/rec_loss`. */
export type Metrics = Record<string, number>;

/** Averages of what was logged several times, weighted by batch size: the numbers of an epoch. */
export class MeanMetrics {
  readonly #sums = new Map<string, { sum: number; weight: number }>();

  add(values: Metrics, weight: number): void {
    for (const [name, value] of Object.entries(values)) {
      const entry = this.#sums.get(name) ?? { sum: 0, weight: 0 };
      entry.sum += value * weight;
      entry.weight += weight;
      this.#sums.set(name, entry);
    }
  }

  get values(): Metrics {
    return Object.fromEntries([...this.#sums].map(([name, { sum, weight }]) => [name, sum / weight]));
  }
}
