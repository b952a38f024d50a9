/** The k most similar of many candidates. */

export interface Found {
  index: number;
  similarity: number;
}

/** Keeps the best; of equal ones the first. */
export class Nearest {
  /** From the best to the worst. */
  readonly #best: Found[] = [];

  constructor(private readonly k: number) {}

  offer(index: number, similarity: number): void {
    const best = this.#best;
    // An embedding of length 0 has no direction: its similarity is no number.
    if (Number.isNaN(similarity) || (best.length === this.k && similarity <= best[this.k - 1].similarity)) return;
    let at = best.length;
    while (at > 0 && best[at - 1].similarity < similarity) at--;
    best.splice(at, 0, { index, similarity });
    if (best.length > this.k) best.pop();
  }

  sorted(): readonly Found[] {
    return this.#best;
  }
}
