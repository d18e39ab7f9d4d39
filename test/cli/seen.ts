/** What a command lets its user see, without a process of its own. */
import { jest } from '@jest/globals';

/** Runs something, and gathers what it writes to either stream, with the exit code that it gives. */
export async function seen(work: () => Promise<number> | number): Promise<{ code: number; told: string }> {
  let told = '';
  const catching = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, 'write').mockImplementation((text) => {
      told += String(text);
      return true;
    }),
  );
  try {
    return { code: await work(), told };
  } finally {
    for (const spy of catching) spy.mockRestore();
  }
}
