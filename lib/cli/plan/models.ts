/** The catalogue on teacher and student, for `proxytune plan`. */
import { type Instance, instance } from '../../core/catalogue/instances.ts';
import { type Model, model } from '../../core/catalogue/models.ts';
import { licenceWords } from '../../core/models/licences.ts';
import {
  type ChosenModel,
  modelOfRole,
  type Plan,
  type StagePlan,
  stageOf,
  transformOf,
} from '../../core/plan/plan.ts';
import { sharing } from '../../core/plan/pricing.ts';
import type { Hyperparameters } from '../../core/stages/hyperparameters.ts';
import { trainingFit } from '../../core/stages/teach/quantized.ts';
import { table } from '../output.ts';

const ROLES = {
  teacher: { trains: 'teach', draws: ['synthesize', 'sample-teacher'] },
  student: { trains: 'learn', draws: ['sample-student'] },
} as const;
type TrainedRole = keyof typeof ROLES;

/** A block of lines for each model that is trained: recipe, memory, instances, minutes, licence. */
export function modelLines(plan: Plan): string[] {
  return (['teacher', 'student'] as const).flatMap((role) => {
    const chosen = plan.models[role];
    return chosen === undefined ? [] : ['', ...linesOf(plan, role, chosen)];
  });
}

function linesOf(plan: Plan, role: TrainedRole, chosen: ChosenModel): string[] {
  const row = model(chosen.id);
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
function recipeWords(plan: Plan, role: TrainedRole): string {
  const { hyperparameters: how } = trainingOf(plan, role);
  const draws = transformOf(plan, ROLES[role].draws[0]);
  if (!('rank' in how)) throw new Error(`the job that trains the ${role} has no rank`);
  const settings = Object.entries(draws.sampler)
    .filter(([name]) => name !== 'kind')
    .map(([name, value]) => `${name.replace('_', ' ')} ${value}`);
  return [
    `${plan.preset}: ${how.steps} steps of batch ${how.batch_size}${shared(plan, role)} at ${how.size} px`,
    `${adapterWords(how)}, learning rate ${how.learning_rate}`,
    selectedWords(how),
    `drawing at ${draws.size} px with ${settings.join(', ')}`,
  ].join('; ');
}

function adapterWords(how: Extract<Hyperparameters, { rank: number }>): string {
  const all = how.stage === 'learn' && how.tuning === 'full';
  return all ? 'all weights' : `LoRA rank ${how.rank}, alpha ${how.alpha}`;
}

function shared(plan: Plan, role: TrainedRole): string {
  const { hyperparameters: how, instanceType } = trainingOf(plan, role);
  const gpus = 'batch_size' in how ? sharing(instance(instanceType), how.batch_size) : 1;
  return gpus === 1 ? '' : ` on ${gpus} GPUs`;
}

function selectedWords(how: Hyperparameters): string {
  if (how.stage !== 'teach') return 'the last step is used';
  if (how.validation_images === undefined) return 'no validation images, the last step is used';
  const each = how.validation_images.pictures + (how.validation_prompts ?? []).length - 1;
  return `${each} validation images every ${how.checkpoint_every} steps, the best checkpoint is used`;
}

/** The memory that training and generating need, and that of the planned cards. */
function memoryWords(row: Model, plan: Plan, role: TrainedRole): string {
  const { memory } = row;
  const training = instance(trainingOf(plan, role).instanceType);
  const drawing = instance(transformOf(plan, ROLES[role].draws[0]).instanceType);
  if (memory === undefined) {
    return `small enough for a machine without GPU (${training.type}: ${training.memoryGiB} GiB)`;
  }
  const { hyperparameters: how } = trainingOf(plan, role);
  const all = how.stage === 'learn' && how.tuning === 'full' ? memory.trainingAllWeights : undefined;
  const fit = all === undefined ? (trainingFit(row, training) ?? { needs: memory.training }) : { needs: all };
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

/** The instances in the order in which the planner tries them. */
function ladderWords({ instances }: Model): string {
  const ladder = (types: readonly string[]) => types.join(', then ');
  return `training on ${ladder(instances.training)}; drawing on ${ladder(instances.transform)}`;
}

function minutesWords({ minutes, draw }: Model): string {
  const step = draw === undefined ? '' : ` of ${draw.trainingTimedAt} px`;
  const picture = draw === undefined ? '' : ` of ${draw.timedAt} px in ${draw.timedSteps} steps`;
  return `${minutes.load} to load, ${minutes.perStep} a step${step}, ${minutes.perPicture} a picture${picture} (${minutes.source})`;
}

/** The card that a stage's minutes were measured or estimated on, where it is planned on another; else undefined. */
export function foreignCard(plan: Plan, { stage, instanceType }: StagePlan): string | undefined {
  const role = (['teacher', 'student'] as const).find(
    (name) => stage === ROLES[name].trains || ROLES[name].draws.some((drawn) => drawn === stage),
  );
  const known = role === undefined ? undefined : model(modelOfRole(plan, role).id).minutes.gpu;
  return known === instance(instanceType).gpu ? undefined : known;
}

/** A line for each stage whose time and price come from another card's minutes. */
export function foreignCardLines(plan: Plan): string[] {
  return plan.stages.flatMap((stage) => {
    const known = foreignCard(plan, stage);
    if (known === undefined) return [];
    const { gpu, type } = instance(stage.instanceType);
    const bits =
      stage.kind === 'training' && 'bits' in stage.hyperparameters ? stage.hyperparameters.bits : undefined;
    const fewer = bits === undefined ? '' : ` with weights in ${bits} bits`;
    return [
      `Time and price of ${stage.stage} come from minutes of the ${known}: none are known of the ${gpu} of ${type}${fewer}, and they will differ.`,
    ];
  });
}

function trainingOf(plan: Plan, role: TrainedRole) {
  const stage = stageOf(plan, ROLES[role].trains);
  if (stage.kind !== 'training') throw new Error(`stage ${stage.stage} trains nothing`);
  return stage;
}
