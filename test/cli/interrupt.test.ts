import { interruptible } from '../../lib/cli/interrupt';
import { LdmError } from '../../lib/errors';

test('the first ctrl-C aborts the work, and the handlers go with it', async () => {
  const before = process.listenerCount('SIGINT');
  const work = interruptible(
    (signal) =>
      new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(new LdmError('ERR_ABORTED', 'stopped'))),
      ),
  );
  expect(process.listenerCount('SIGINT')).toBe(before + 1);
  process.emit('SIGINT');
  await expect(work).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  expect(process.listenerCount('SIGINT')).toBe(before);
});

test('the second ctrl-C ends the process at once with 130', async () => {
  const exit = jest.spyOn(process, 'exit').mockImplementation((() => undefined) as never);
  let finish = () => {};
  const work = interruptible(() => new Promise<void>((resolve) => (finish = resolve)));
  process.emit('SIGINT');
  expect(exit).not.toHaveBeenCalled();
  process.emit('SIGINT');
  expect(exit).toHaveBeenCalledWith(130);
  finish();
  await work;
  exit.mockRestore();
});
