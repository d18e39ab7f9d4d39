/** The output of a command, without a process of its own. */
import { jest } from '@jest/globals';

/** Runs a command and captures both streams and its exit code. */
export async function seen(work: () => Promise<number> | number): Promise<{ code: number; printed: string }> {
  let printed = '';
  const catching = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, 'write').mockImplementation((text) => {
      printed += String(text);
      return true;
    }),
  );
  try {
    return { code: await work(), printed };
  } finally {
    for (const spy of catching) spy.mockRestore();
  }
}
