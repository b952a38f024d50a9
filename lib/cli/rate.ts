/** The rate of something that is counted, over the last seconds: what it is now, not what it was on average. */
export class Rate {
  private readonly samples: { time: number; amount: number }[] = [];

  /** @param windowMs how far back the rate looks */
  constructor(private readonly windowMs = 20_000) {}

  /** Notes the amount that is done at a time (milliseconds). */
  add(amount: number, time: number): void {
    this.samples.push({ time, amount });
    // One sample older than the window stays, so that the rate always spans it.
    while (this.samples.length > 2 && time - this.samples[1]!.time >= this.windowMs) this.samples.shift();
  }

  /** Amount a second, or undefined before there are two different times. */
  perSecond(): number | undefined {
    const first = this.samples[0];
    const last = this.samples[this.samples.length - 1];
    if (!first || !last || last.time <= first.time) return undefined;
    return ((last.amount - first.amount) * 1000) / (last.time - first.time);
  }
}
