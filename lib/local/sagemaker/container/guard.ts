/**
 * The watchdog's process. It reads "watch PGID" and "forget PGID" lines; when its input closes, because the service
 * closed it or died, it ends the process groups that are still watched and exits.
 */
import { createInterface } from 'node:readline';

const GRACE_MILLISECONDS = 1000;
const watched = new Set<number>();

function signal(group: number, name: NodeJS.Signals): void {
  try {
    process.kill(-group, name);
  } catch {
    // The group has already ended.
  }
}

// A Ctrl-C or hang-up for the service must not end the guard before it has done its work.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => {});

for await (const line of createInterface({ input: process.stdin })) {
  const [verb, group] = line.split(' ');
  if (verb === 'watch') watched.add(Number(group));
  if (verb === 'forget') watched.delete(Number(group));
}
if (watched.size > 0) {
  for (const group of watched) signal(group, 'SIGTERM');
  await new Promise((resolve) => setTimeout(resolve, GRACE_MILLISECONDS));
  for (const group of watched) signal(group, 'SIGKILL');
}
process.exit(0);
