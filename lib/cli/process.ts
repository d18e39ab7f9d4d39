/** The command line as a process: what becomes of it when its terminal, its reader or its parent is gone. */
import { main } from './main.ts';
import { tellError } from './output.ts';

/** As shells count a process that SIGPIPE ended. */
const READER_GONE = 141;
/** As shells count a process that SIGHUP ended. */
const PARENT_GONE = 129;

/** Runs a command line for this process. @returns the exit code */
export async function runProcess(argv: readonly string[]): Promise<number> {
  let gone = false;
  const onGone = (code: number) => (): void => {
    if (gone) return;
    gone = true;
    // A command with something to end hears it as the hang-up that it is; the others just end.
    if (process.listenerCount('SIGHUP') > 0) process.emit('SIGHUP');
    else process.exit(code);
  };
  // `| head -1` closes our output while we write.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', onGone(READER_GONE));
  // The door was killed: nobody waits for us any more.
  process.on('disconnect', onGone(PARENT_GONE));
  process.channel?.unref();
  // A fault outside of any promise we wait for. All we started ends by itself when we do.
  process.on('uncaughtException', (error) => {
    process.exit(tellError(error, { json: argv.includes('--json'), debug: argv.includes('--debug') }));
  });
  return main(argv);
}
