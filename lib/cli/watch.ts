/** Watching a run until it is over, and showing it: a bar a stage on a terminal, plain lines elsewhere. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BucketContext } from '../aws/s3.ts';
import type { TableContext } from '../aws/table.ts';
import type { Stage } from '../core/words.ts';
import { dollars, duration, type Output, paint } from './output.ts';
import { type RunView, readRunView, type StageView } from './run-state.ts';

const POLL_EVERY_MS = 1000;
/** A plain line about a running stage, at most this often. */
const PLAIN_EVERY_MS = 10_000;
const BAR = 24;

/** A line on what each stage does and why, for people who watch a run for the first time. */
const WHY: Readonly<Record<Stage, string>> = {
  plan: 'read the request, choose settings, price the run, before anything is paid for',
  inspect: 'inspect every photo, as a bad one would ruin the rest of the run',
  teach: 'a diffusion teacher learns the subject from the photos, too few for an autoregressive model',
  synthesize: 'the teacher generates the proxies: many images of the subject instead of a few photos',
  curate: 'score every proxy: which to keep, and whether more of them would add something',
  learn: 'the autoregressive student learns the subject',
  'sample-teacher': 'the teacher, tuned and untuned, draws the evaluation prompts, for comparison',
  'sample-student': 'the student, tuned and untuned, draws the same prompts',
  evaluate: 'score how well the images match the photos and follow their prompts',
  publish: 'put the report in its place',
};

/** The line on a stage; what the student learns from depends on the method, which the run's stages show. */
function whyOf(stage: Stage, stages: readonly StageView[]): string {
  if (stage !== 'learn') return WHY[stage];
  const proxies = stages.some((other) => other.stage === 'synthesize');
  return `${WHY[stage]} from ${proxies ? 'the proxies' : 'the photos'}`;
}

/** Shows a view of a run, and any news: one line on what has just happened, which is given only once. */
type Show = (view: RunView, news?: string) => void;

/**
 * Polls until the run is over or the signal aborts.
 * @param newsOf - returns news to show with the view that was just read, if there is any
 * @returns the last view
 */
export async function watchRun(
  context: BucketContext & TableContext,
  runId: string,
  output: Output,
  signal: AbortSignal,
  newsOf: (view: RunView) => Promise<string | undefined> = async () => undefined,
): Promise<RunView | undefined> {
  const show: Show = output.terminal ? redraw(output) : output.json ? asData(output) : plainly(output);
  let view: RunView | undefined;
  while (!signal.aborted) {
    view = await readRunView(context, runId);
    if (view !== undefined) show(view, await newsOf(view));
    if (view !== undefined && view.status !== 'RUNNING') return view;
    await sleep(POLL_EVERY_MS, undefined, { signal }).catch(() => {});
  }
  return view;
}

function asData(output: Output): (view: RunView) => void {
  let last = '';
  return (view) => {
    const line = JSON.stringify(view);
    if (line !== last) output.data(view);
    last = line;
  };
}

/**
 * Draws a bar for every stage, and below the bars what the running stages do. Each call overwrites the previous
 * drawing. News is printed above the bars and is not overwritten.
 */
export function redraw(output: Output): Show {
  let drawn = 0;
  return (view, news) => {
    // A line that wraps would be two, and the cursor would go back too few.
    const width = (process.stdout.columns || 80) - 1;
    const lines = [
      ...view.stages.map((stage) => stageLine(stage, output, width, whyOf(stage.stage, view.stages))),
      nowLine(view, width),
    ];
    // Whole, even if it wraps: nothing is drawn over it.
    const above = news === undefined ? '' : `\u001b[2K${news}\n`;
    output.write(
      `${drawn > 0 ? `\u001b[${drawn}A` : ''}${above}${lines.map((line) => `\u001b[2K${line}\n`).join('')}`,
    );
    drawn = lines.length;
  };
}

/** The lines of running stages; empty when none is running, as every redraw has the same number of lines. */
function nowLine({ stages }: RunView, width: number): string {
  const running = stages
    .filter(({ state }) => state === 'running')
    .map(({ stage }) => `${stage}: ${whyOf(stage, stages)}`);
  return running.join('; ').slice(0, width);
}

/** Prints a line for whatever is new: first what a stage does, then its progress. */
export function plainly(output: Pick<Output, 'say'>): Show {
  const said = new Map<string, { state: string; at: number; text: string }>();
  return (view, news) => {
    for (const stage of view.stages) {
      const before = said.get(stage.stage);
      if (stage.state === 'waiting') continue;
      const key = `${stage.state} ${stage.attempt}`;
      const text = facts(stage);
      const due = text !== before?.text && Date.now() - (before?.at ?? 0) >= PLAIN_EVERY_MS;
      if (before?.state === key && !(stage.state === 'running' && due)) continue;
      said.set(stage.stage, { state: key, at: Date.now(), text });
      if (before === undefined) output.say(`${stage.stage}: ${whyOf(stage.stage, view.stages)}`);
      if (before !== undefined || stage.state !== 'running') output.say(`${stage.stage}: ${text}`);
    }
    if (news !== undefined) output.say(news);
  };
}

/** `teach           [========                ] 14/40, training, 3.2 steps/s, 8 s left`, cut to `width`. */
export function stageLine(
  stage: StageView,
  output: Output,
  width = Number.POSITIVE_INFINITY,
  why: string = WHY[stage.stage],
): string {
  const share = stage.state === 'done' ? 1 : stage.total > 0 ? Math.min(1, stage.step / stage.total) : 0;
  const filled = Math.round(share * BAR);
  const bar = `[${'='.repeat(filled)}${' '.repeat(BAR - filled)}]`;
  const style = { waiting: 'dim', running: 'cyan', done: 'green', failed: 'red' } as const;
  const text = stage.state === 'waiting' ? why : facts(stage);
  return paint(output, style[stage.state], `${stage.stage.padEnd(15)} ${bar} ${text}`.slice(0, width));
}

function facts(stage: StageView): string {
  const attempt = stage.attempt > 1 ? `attempt ${stage.attempt}` : '';
  if (stage.state === 'done')
    return join(['done', stage.seconds === null ? '' : duration(stage.seconds), attempt]);
  if (stage.state === 'failed') return join(['failed', attempt]);
  return join([
    stage.total > 0 ? `${stage.step}/${stage.total}` : '',
    stage.phase || 'running',
    stage.rate === null ? '' : `${rate(stage.rate)} ${stage.unit}/s`,
    stage.loss === null ? '' : `loss ${stage.loss.toFixed(3)}`,
    stage.etaSeconds === null ? '' : `${duration(stage.etaSeconds)} left`,
    attempt,
  ]);
}

/** At least two significant digits, whatever the size. */
function rate(value: number): string {
  return value >= 1 ? value.toFixed(1) : value.toPrecision(2);
}

const join = (parts: string[]): string => parts.filter(Boolean).join(', ');

/** A run in one line, for lists. */
export function runLine(view: RunView): string {
  const at = view.stages.find((stage) => stage.state === 'running' || stage.state === 'failed');
  return `${view.runId}  ${view.status}  ${at === undefined ? '' : `${at.stage} `}${dollars(view.usd)}`;
}
