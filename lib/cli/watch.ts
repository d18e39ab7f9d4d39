/** Watching a run until it is over, and showing it: a bar a stage on a terminal, plain lines elsewhere. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Place } from './clients.ts';
import { dollars, duration, type Output, paint } from './output.ts';
import { type RunView, readRunView, type StageView } from './run-state.ts';

const LOOK_EVERY_MS = 1000;
/** A plain line about a stage that goes on, at most this often. */
const PLAIN_EVERY_MS = 10_000;
const BAR = 24;

/** Why each stage is there, for people who see a run for the first time. */
const WHY: Readonly<Record<string, string>> = {
  plan: 'read the request, choose settings, price the run',
  inspect: 'look at every photo before any compute is paid for',
  teach: 'a diffusion teacher learns the subject from the photos',
  synthesize: 'the teacher draws the proxies',
  learn: 'the autoregressive student learns from the proxies',
  'sample-teacher': 'teacher, tuned and untuned, draws the evaluation prompts',
  'sample-student': 'student, tuned and untuned, draws the same prompts',
  evaluate: 'CLIP and DINO compare the pictures with the photos',
  publish: 'put the report where you find it',
};

/** Looks again and again until the run is over or the signal aborts. @returns the last view */
export async function watchRun(
  place: Place,
  runId: string,
  output: Output,
  signal: AbortSignal,
): Promise<RunView | undefined> {
  const show = output.terminal ? redraw(output) : output.json ? asData(output) : plainly(output);
  let view: RunView | undefined;
  while (!signal.aborted) {
    view = await readRunView(place, runId);
    if (view !== undefined) show(view);
    if (view !== undefined && view.status !== 'RUNNING') return view;
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
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

function redraw(output: Output): (view: RunView) => void {
  let drawn = 0;
  return (view) => {
    // A line that wraps would be two, and the cursor would go back too few.
    const width = (process.stdout.columns || 80) - 1;
    const lines = view.stages.map((stage) => stageLine(stage, output, width));
    output.write(
      `${drawn > 0 ? `\u001b[${drawn}A` : ''}${lines.map((line) => `\u001b[2K${line}\n`).join('')}`,
    );
    drawn = lines.length;
  };
}

function plainly(output: Output): (view: RunView) => void {
  const said = new Map<string, { state: string; at: number; text: string }>();
  return (view) => {
    for (const stage of view.stages) {
      const before = said.get(stage.stage);
      if (stage.state === 'waiting') continue;
      const key = `${stage.state} ${stage.attempt}`;
      const text = facts(stage);
      const due = text !== before?.text && Date.now() - (before?.at ?? 0) >= PLAIN_EVERY_MS;
      if (before?.state === key && !(stage.state === 'running' && due)) continue;
      said.set(stage.stage, { state: key, at: Date.now(), text });
      const first = before === undefined && stage.state === 'running';
      output.say(first ? `${stage.stage}: ${WHY[stage.stage]}` : `${stage.stage}: ${text}`);
    }
  };
}

/** `teach           [========                ] 14/40, training, 3.2 steps/s, 8 s left`, cut to `width`. */
export function stageLine(stage: StageView, output: Output, width = Number.POSITIVE_INFINITY): string {
  const share = stage.state === 'done' ? 1 : stage.total > 0 ? Math.min(1, stage.step / stage.total) : 0;
  const filled = Math.round(share * BAR);
  const bar = `[${'='.repeat(filled)}${' '.repeat(BAR - filled)}]`;
  const style = { waiting: 'dim', running: 'cyan', done: 'green', failed: 'red' } as const;
  const text = stage.state === 'waiting' ? (WHY[stage.stage] ?? '') : facts(stage);
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

/** Two digits that tell something, whatever the size. */
function rate(value: number): string {
  return value >= 1 ? value.toFixed(1) : value.toPrecision(2);
}

const join = (parts: string[]): string => parts.filter(Boolean).join(', ');

/** A run in one line, for lists. */
export function runLine(view: RunView): string {
  const at = view.stages.find((stage) => stage.state === 'running' || stage.state === 'failed');
  return `${view.runId}  ${view.status}  ${at === undefined ? '' : `${at.stage} `}${dollars(view.usd)}`;
}
