/** What `proxytune plan` says of the two models that learn: everything the catalogue knows that concerns the run. */
import { type Instance, instance } from '../../core/catalogue/instances.ts';
import { type Model, model } from '../../core/catalogue/models.ts';
import { licenceWords } from '../../core/models/licences.ts';
import { type Plan, type StagePlan, stageOf, transformOf } from '../../core/plan/plan.ts';
import { sharing } from '../../core/plan/pricing.ts';
import type { Hyperparameters } from '../../core/stages/hyperparameters.ts';
import { trainingFit } from '../../core/stages/teach/quantized.ts';
import { table } from '../output.ts';

const ROLES = {
  teacher: { trains: 'teach', draws: ['synthesize', 'sample-teacher'] },
  student: { trains: 'learn', draws: ['sample-student'] },
} as const;
type Learner = keyof typeof ROLES;

/** A block of lines for each of the two models: recipe, memory, instances, minutes, licence. */
export function modelLines(plan: Plan): string[] {
  return (['teacher', 'student'] as const).flatMap((role) => ['', ...linesOf(plan, role)]);
}

function linesOf(plan: Plan, role: Learner): string[] {
  const row = model(plan.models[role].id);
  return [
    `${row.title}, the ${role}:`,
    ...table([
      ['  recipe', recipeWords(plan, role)],
      ['  memory', memoryWords(row, plan, role)],
      ['  instances', ladderWords(row)],
      ['  minutes', minutesWords(row)],
      ['  licence', `${licenceWords(row.licence)} ${row.licence.url}`],
    ]),
  ];
}

/** The settings as they are planned: those of the recipe, and the request's own where it names some. */
function recipeWords(plan: Plan, role: Learner): string {
  const { hyperparameters: how } = trainingOf(plan, role);
  const draws = transformOf(plan, ROLES[role].draws[0]);
  if (!('rank' in how)) throw new Error(`the job that trains the ${role} has no rank`);
  const settings = Object.entries(draws.sampler)
    .filter(([name]) => name !== 'kind')
    .map(([name, value]) => `${name.replace('_', ' ')} ${value}`);
  return [
    `${plan.preset}: ${how.steps} steps of batch ${how.batch_size}${shared(plan, role)} at ${how.size} px`,
    `LoRA rank ${how.rank}, alpha ${how.alpha}, learning rate ${how.learning_rate}`,
    handedOn(how),
    `drawing at ${draws.size} px with ${settings.join(', ')}`,
  ].join('; ');
}

/** Only a teacher's training uses more than one GPU. */
function shared(plan: Plan, role: Learner): string {
  const { hyperparameters: how, instanceType } = trainingOf(plan, role);
  const gpus = how.stage === 'teach' ? sharing(instance(instanceType), how.batch_size) : 1;
  return gpus === 1 ? '' : ` on ${gpus} GPUs`;
}

function handedOn(how: Hyperparameters): string {
  if (how.stage !== 'teach') return 'the last step is handed on';
  if (how.samples === undefined) return 'no samples along the way, the last step is handed on';
  const each = how.samples.pictures + (how.sample_prompts ?? []).length - 1;
  return `${each} samples every ${how.checkpoint_every} steps, the best of these is handed on`;
}

/** What training and drawing need, and what the cards that they are planned on have. */
function memoryWords(row: Model, plan: Plan, role: Learner): string {
  const { memory } = row;
  const training = instance(trainingOf(plan, role).instanceType);
  const drawing = instance(transformOf(plan, ROLES[role].draws[0]).instanceType);
  if (memory === undefined) {
    return `small enough for a machine without GPU (${training.type}: ${training.memoryGiB} GiB)`;
  }
  const fit = trainingFit(row, training) ?? { needs: memory.training };
  const parts = [
    cardWords(
      fit.bits === undefined ? 'training' : `training on ${fit.bits}-bit weights`,
      fit.needs,
      training,
    ),
    cardWords('drawing', memory.transform, drawing),
  ];
  return `${parts.join('; ')} (${memory.source})`;
}

function cardWords(what: string, needs: number, on: Instance): string {
  const has = on.gpu === null ? `${on.type} has no GPU` : `the ${on.gpu} of ${on.type} has ${on.gpuGiB}`;
  const short = needs > on.gpuGiB ? ': TOO LITTLE, expect OutOfMemory' : '';
  return `${what} needs about ${needs} GiB, ${has}${short}`;
}

/** The instances in the order in which the planner takes them. */
function ladderWords({ instances }: Model): string {
  const ladder = (types: readonly string[]) => types.join(', then ');
  return `training on ${ladder(instances.training)}; drawing on ${ladder(instances.transform)}`;
}

function minutesWords({ minutes, draw }: Model): string {
  const step = draw === undefined ? '' : ` of ${draw.trainingTimedAt} px`;
  const picture = draw === undefined ? '' : ` of ${draw.timedAt} px in ${draw.timedSteps} steps`;
  return `${minutes.load} to load, ${minutes.perStep} a step${step}, ${minutes.perPicture} a picture${picture} (${minutes.source})`;
}

/** The card that a stage's minutes are of, where it is planned on another; undefined where they fit. */
export function foreignCard(plan: Plan, { stage, instanceType }: StagePlan): string | undefined {
  const role = (['teacher', 'student'] as const).find(
    (name) => stage === ROLES[name].trains || ROLES[name].draws.some((drawn) => drawn === stage),
  );
  const known = role === undefined ? undefined : model(plan.models[role].id).minutes.gpu;
  return known === instance(instanceType).gpu ? undefined : known;
}

/** What is to be known of times and prices that were reckoned with another card's minutes. */
export function foreignCardLines(plan: Plan): string[] {
  return plan.stages.flatMap((stage) => {
    const known = foreignCard(plan, stage);
    if (known === undefined) return [];
    const { gpu, type } = instance(stage.instanceType);
    const bits =
      stage.kind === 'training' && 'bits' in stage.hyperparameters ? stage.hyperparameters.bits : undefined;
    const fewer = bits === undefined ? '' : `, with weights in ${bits} bits,`;
    return [
      `Time and price of ${stage.stage} are reckoned with minutes of the ${known}: of the ${gpu} of ${type}${fewer} none are known, and they will be others.`,
    ];
  });
}

function trainingOf(plan: Plan, role: Learner) {
  const stage = stageOf(plan, ROLES[role].trains);
  if (stage.kind !== 'training') throw new Error(`stage ${stage.stage} trains nothing`);
  return stage;
}
