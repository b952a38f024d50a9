/**
 * The order in which requests of several clients are served: one of each address in turn, and within an address one of each
 * client (a browser tab), so that nobody waits for the whole pile of somebody else.
 */
import { HttpError } from './http-error';

export interface Client {
  /** Network address. */
  address: string;
  /** What the client calls itself; only divides the turns of its address. */
  id: string;
}

interface Waiting<T> {
  item: T;
  client: Client;
}

/** When somebody had a turn last, by name. */
type Turns = Map<string, number>;

const clientKey = ({ address, id }: Client) => `${address} ${id}`;

export class FairQueue<T> {
  #waiting: Waiting<T>[] = [];
  readonly #turns: Turns = new Map();
  #turn = 0;

  constructor(private readonly limits: { queue: number; queuePerClient: number }) {}

  get length(): number {
    return this.#waiting.length;
  }

  /** @throws HttpError 429 when this address waits for too much already, 503 when all places are taken */
  add(client: Client, item: T): void {
    const { queue, queuePerClient } = this.limits;
    if (this.#waiting.length >= queue)
      throw new HttpError(503, 'queue_full', `The queue is full (${queue} requests). Try again in a moment.`);
    if (this.#waiting.filter((w) => w.client.address === client.address).length >= queuePerClient)
      throw new HttpError(
        429,
        'too_many_requests',
        `You have ${queuePerClient} requests waiting already. Wait for them, or cancel some.`,
      );
    this.#waiting.push({ item, client });
  }

  /** Takes the next one out; undefined when nobody waits. */
  next(): T | undefined {
    const index = nextIndex(this.#waiting, this.#turns);
    if (index < 0) return undefined;
    const [{ item, client }] = this.#waiting.splice(index, 1);
    this.#turn++;
    take(this.#turns, client, this.#turn);
    this.#forget();
    return item;
  }

  /** Takes one out before its turn. Returns whether it was there. */
  remove(item: T): boolean {
    const index = this.#waiting.findIndex((w) => w.item === item);
    if (index >= 0) this.#waiting.splice(index, 1);
    return index >= 0;
  }

  /** Everybody who waits, in the order of service. */
  order(): T[] {
    const waiting = [...this.#waiting];
    const turns = new Map(this.#turns);
    const ordered: T[] = [];
    for (let turn = this.#turn + 1; waiting.length > 0; turn++) {
      const [{ item, client }] = waiting.splice(nextIndex(waiting, turns), 1);
      take(turns, client, turn);
      ordered.push(item);
    }
    return ordered;
  }

  /** Who waits for nothing needs no memory of turns for long: at most a thousand are remembered. */
  #forget(): void {
    for (const key of this.#turns.keys()) {
      if (this.#turns.size <= 1000) return;
      if (!this.#waiting.some(({ client }) => client.address === key || clientKey(client) === key))
        this.#turns.delete(key);
    }
  }
}

function take(turns: Turns, client: Client, turn: number): void {
  for (const key of [client.address, clientKey(client)]) {
    turns.delete(key);
    turns.set(key, turn);
  }
}

/** Whose turn is longest ago, first by address, then by client; among equals who came first. */
function nextIndex(waiting: readonly Waiting<unknown>[], turns: Turns): number {
  let best = -1;
  let bestTurns: [number, number] = [0, 0];
  for (const [i, { client }] of waiting.entries()) {
    const mine: [number, number] = [turns.get(client.address) ?? 0, turns.get(clientKey(client)) ?? 0];
    if (best >= 0 && (mine[0] > bestTurns[0] || (mine[0] === bestTurns[0] && mine[1] >= bestTurns[1]))) continue;
    best = i;
    bestTurns = mine;
  }
  return best;
}
