/** The command line as a process: how it ends when its terminal, its reader or its parent is gone. */
import { main } from './main.ts';
import { printError } from './output.ts';

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
    // A command with something to stop gets it as the hang-up that it is; the others just end.
    if (process.listenerCount('SIGHUP') > 0) process.emit('SIGHUP');
    else process.exit(code);
  };
  // `| head -1` closes our output while we write.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', onGone(READER_GONE));
  // The entry point was killed: nobody waits for us any more.
  process.on('disconnect', onGone(PARENT_GONE));
  process.channel?.unref();
  // An error outside of any promise that we await. Everything we started ends by itself when we do.
  process.on('uncaughtException', (error) => {
    process.exit(printError(error, { json: argv.includes('--json'), debug: argv.includes('--debug') }));
  });
  return main(argv);
}
