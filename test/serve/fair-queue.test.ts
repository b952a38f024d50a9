import { FairQueue } from '../../lib/serve/fair-queue';

const client = (address: string, id = '') => ({ address, id });

function drain(queue: FairQueue<string>): string {
  const served: string[] = [];
  for (let item = queue.next(); item !== undefined; item = queue.next()) served.push(item);
  return served.join(' ');
}

test('addresses take turns, and within one its tabs do', () => {
  const queue = new FairQueue<string>({ queue: 20, queuePerClient: 10 });
  for (const name of ['a1', 'a2', 'a3']) queue.add(client('A', 'tab 1'), name);
  queue.add(client('A', 'tab 2'), 'a4');
  for (const name of ['b1', 'b2']) queue.add(client('B'), name);
  expect(queue.order().join(' ')).toBe('a1 b1 a4 b2 a2 a3');
  expect(drain(queue)).toBe('a1 b1 a4 b2 a2 a3');
});

test('who was served last waits, also when nobody was there in between', () => {
  const queue = new FairQueue<string>({ queue: 20, queuePerClient: 10 });
  queue.add(client('A'), 'a1');
  expect(queue.next()).toBe('a1');
  queue.add(client('A'), 'a2');
  queue.add(client('B'), 'b1');
  expect(drain(queue)).toBe('b1 a2');
});

test('new names for one address bring no more turns', () => {
  const queue = new FairQueue<string>({ queue: 20, queuePerClient: 10 });
  for (let i = 1; i <= 4; i++) queue.add(client('A', `name ${i}`), `a${i}`);
  for (let i = 1; i <= 3; i++) queue.add(client('B', 'one'), `b${i}`);
  expect(drain(queue)).toBe('a1 b1 a2 b2 a3 b3 a4');
});

test('places are limited, for an address and for all', () => {
  const queue = new FairQueue<string>({ queue: 3, queuePerClient: 2 });
  queue.add(client('A', 'x'), 'a1');
  queue.add(client('A', 'y'), 'a2');
  expect(() => queue.add(client('A', 'z'), 'a3')).toThrow(expect.objectContaining({ status: 429 }));
  queue.add(client('B'), 'b1');
  expect(() => queue.add(client('C'), 'c1')).toThrow(expect.objectContaining({ status: 503 }));
  expect(queue.remove('a1')).toBe(true);
  expect(queue.remove('a1')).toBe(false);
  queue.add(client('C'), 'c1');
  expect(drain(queue)).toBe('a2 b1 c1');
});
