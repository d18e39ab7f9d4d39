/** `proxytune status [RUN]`: every run, or one with its stages. */
import { listRuns } from '../../aws/table.ts';
import { type Output, table } from '../output.ts';
import { readRunView } from '../run-state.ts';
import { type CloudOptions, withContext } from '../session.ts';
import { runLine, stageLine } from '../watch.ts';
import { chooseRun } from './report.ts';

/** @throws RunUnknown when a run is named that the table does not know */
export async function statusCommand(
  named: string | undefined,
  options: CloudOptions,
  output: Output,
): Promise<number> {
  return withContext(options, output, async (aws) => {
    if (named === undefined) {
      const runs = await listRuns(aws);
      output.data(runs);
      if (runs.length === 0) output.say('no run yet');
      const rows = runs.map((run) => [run.runId, run.status, run.startedAt, run.error ?? '']);
      for (const line of table(rows)) output.say(line);
      return 0;
    }
    const view = await readRunView(aws, await chooseRun(aws, named));
    if (view === undefined) return 1;
    output.data(view);
    output.say(runLine(view));
    for (const stage of view.stages) output.say(stageLine(stage, output));
    if (view.warning !== null) output.say(`warning: ${view.warning}`);
    if (view.message !== null) output.say(`${view.error}: ${view.message}`);
    return 0;
  });
}
