/** What reading a pickle may cost. A pickle is a program: a few bytes of it can ask for gigabytes or for hours. */

/** Thrown when a pickle asks for more than any checkpoint needs. */
export class BudgetExceeded extends Error {}

/**
 * Estimated costs in bytes of memory, or in work that takes as long as touching so many bytes. Freed values count too, so
 * that time is bounded with memory.
 */
export const COST = {
  /** One instruction, and the slot on the stack that it may take: a growing array is copied now and then. */
  instruction: 28,
  /** An element that is copied from one collection to another. */
  element: 16,
  list: 64,
  /** A Map or a Set, and each of its entries. */
  table: 256,
  entry: 48,
  text: 48,
  memo: 16,
  /** A name of a class. */
  global: 512,
  /** What a call gives: a tensor's description or a placeholder. */
  call: 640,
};

/** About four times what the largest official checkpoint with both Adam states costs. */
const ALLOWANCE = 72 << 20;
/** Numbers as keys of one dictionary; more could be made to collide in the hash table, which then takes forever. */
const MOST_NUMBER_KEYS = 30_000;
const NUMBER_KEY = 1024;

export class Budget {
  #left = ALLOWANCE;

  /** @throws BudgetExceeded */
  spend(cost: number): void {
    this.#left -= cost;
    if (this.#left < 0) throw new BudgetExceeded();
  }
  /** Counts the entry that is about to be added to `target`. */
  entry(target: ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>, key: unknown): void {
    this.spend(COST.entry);
    if (typeof key !== 'number' && typeof key !== 'bigint') return;
    this.spend(NUMBER_KEY);
    if (target.size > MOST_NUMBER_KEYS) throw new BudgetExceeded();
  }
}
