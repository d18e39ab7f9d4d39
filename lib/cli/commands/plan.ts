/** `proxytune plan DIR|subject.json`: what a run would do, where, for how long and for how much. Starts nothing. */
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { instance, SPOT_SAVING } from '../../core/catalogue/instances.ts';
import { ProxytuneError } from '../../core/errors.ts';
import { REQUEST_FILE } from '../../core/keys.ts';
import { makePlan, optionalModels, scaleOf } from '../../core/plan/make-plan.ts';
import type { Plan } from '../../core/plan/plan.ts';
import { gpusThatGenerate } from '../../core/plan/pricing.ts';
import { type GenerationPlan, generatesImages } from '../../core/plan/stage-plan.ts';
import { parseRequest } from '../../core/request/request.ts';
import type { Hyperparameters } from '../../core/stages/hyperparameters.ts';
import { eachModel, SYNTHESES } from '../../core/words.ts';
import { dollars, duration, type Output, table } from '../output.ts';
import { curationLines, maskLines } from '../plan/curation.ts';
import { foreignCard, foreignCardLines, modelLines } from '../plan/models.ts';
import { openSubject, readRequest, type SubjectFolder } from '../subject.ts';
import { VERSION } from '../version.ts';

export interface PlanOptions {
  /** Plan for the tiny stand-in models that run on this machine. @default - the full-size models on AWS */
  readonly local?: boolean;
  /** Fields of subject.json, which win over those of the file. @default - none */
  readonly fields?: Fields;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Prints the plan. It needs no consent, as nothing is done with the photos; it says that a run will need it.
 * @throws FolderMissing, RequestInvalid, TokenWordUnusable, OverBudget
 */
export function planCommand(path: string, options: PlanOptions, output: Output): number {
  const asked = askedOf(path, options.fields ?? {});
  const { consent } = asked.request;
  const withheld = consent === undefined || consent === (false as unknown);
  const plan = planAsked(
    withheld ? { ...asked, request: { ...asked.request, consent: true } } : asked,
    options,
  );
  output.data(withheld ? { ...plan, request: { ...plan.request, consent: false } } : plan);
  for (const line of planLines(plan)) output.say(line);
  if (withheld) for (const line of ['', CONSENT_LINE]) output.say(line);
  return 0;
}

const CONSENT_LINE =
  'A run also needs your consent, that you may use these photos for this purpose: --consent, or "consent": true in subject.json.';

/**
 * The plan of a request, as the cloud would make it.
 * @throws FolderMissing, RequestInvalid, TokenWordUnusable, OverBudget
 */
export function planOf(path: string, options: PlanOptions): Plan {
  return planAsked(askedOf(path, options.fields ?? {}), options);
}

type Asked = Pick<SubjectFolder, 'subject' | 'request'>;

function planAsked({ subject, request }: Asked, { local }: PlanOptions): Plan {
  return makePlan(parseRequest(JSON.stringify(request)), {
    runId: 'planned-00000000',
    subject,
    bucket: 'planned',
    scale: local ? 'tiny' : 'full',
    version: VERSION,
  });
}

/** The requested fields: those of the file, overridden by those that were given. */
function askedOf(path: string, fields: Fields): Asked {
  const { subject, request } = openRequest(path, fields);
  return { subject, request: { ...request, ...fields } };
}

/** A request file, or the folder that holds it; a folder without one will do when fields are given. */
function openRequest(path: string, fields: Fields): Asked {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    const folder = openSubject(path);
    if (Object.keys({ ...folder.request, ...fields }).length > 0) return folder;
  } else if (existsSync(path)) {
    return { subject: basename(dirname(resolve(path))), request: readRequest(path) };
  }
  const there = existsSync(path);
  throw new ProxytuneError(there ? 'UsageInvalid' : 'FolderMissing', {
    what: there ? 'The folder holds no request, and no field was given' : 'There is no such request',
    given: path,
    allowed: `a ${REQUEST_FILE}, a folder that holds one, or a folder and --category`,
    remedy: there
      ? `name the category: npx proxytune plan ${path} --category dog`
      : 'check the path; the folder need not hold photos yet',
  });
}

/** The plan for people: a row a stage, the sum, and the models. */
export function planLines(plan: Plan): string[] {
  const rows = plan.stages.map((stage) => [
    stage.stage,
    stage.instanceType,
    duration(stage.minutes * 60),
    dollars(stage.usd),
    `${generatesImages(stage) ? drawn(stage) : steps(stage.hyperparameters)}${ofCard(foreignCard(plan, stage))}`,
  ]);
  return [
    `${plan.subject}: ${whoTeaches(plan)}`,
    ...proxiesLines(plan),
    ...unusedLine(plan),
    ...evaluationLine(plan),
    ...curationLines(plan),
    ...maskLines(plan),
    ...(plan.world.note === null ? [] : [plan.world.note]),
    '',
    ...table([['stage', 'instance', 'time', 'price', ''], ...rows]),
    '',
    `About ${duration(plan.estimate.minutes * 60)} and ${dollars(plan.estimate.usd)} (list prices of ${plan.estimate.pricesAsOf}).`,
    ...foreignCardLines(plan),
    ...plan.stages.filter(generatesImages).flatMap(alternativesLine),
    ...importLine(plan),
    ...modelLines(plan),
    ...mailLine(plan),
  ];
}

/** The evaluation prompts, and what chose them: a category may be taken for the wrong kind. */
function evaluationLine({ prompts, samples, category }: Plan): string[] {
  const { evaluation, evaluationList: list } = prompts;
  if (list === null) return [];
  const because = {
    category: ` (by the category ${category}; subjectKind chooses another list)`,
    request: ' (by subjectKind)',
    domain: '',
  }[list.chosenBy];
  const each = samples.picturesPerPrompt === 1 ? 'one image' : `${samples.picturesPerPrompt} images`;
  return [`evaluated on ${evaluation.length} of ${list.title}${because}, ${each} each`];
}

const ofCard = (gpu: string | undefined): string => (gpu === undefined ? '' : `, time of the ${gpu}`);

function drawn({ pictures, chunks, instances, instanceType, kind }: GenerationPlan): string {
  const { gpus } = instance(instanceType);
  const own = gpus > 1 ? `, on ${gpusThatGenerate(kind, instance(instanceType))} of ${gpus} GPUs` : '';
  const shared = `${instances > 1 ? ` on ${instances} instances` : ''}${own}`;
  return `${pictures} pictures in ${chunks} chunks${shared}${kind === 'spot' ? ', on spot' : ''}`;
}

/** The cost of a stage as a batch transform and on managed spot, side by side. */
function alternativesLine({ stage, kind, alternatives }: GenerationPlan): string[] {
  if (alternatives === undefined) return [];
  const ways = SYNTHESES.map((way) => {
    const priced = alternatives[way];
    const price =
      priced === null
        ? 'not on this instance type'
        : `${dollars(priced.usd)} in ${duration(priced.minutes * 60)} on ${priced.instanceType}`;
    return `${way} ${price}${way === kind ? ' (chosen)' : ''}`;
  });
  return [
    `${stage}, both ways: ${ways.join('; ')}. The spot price assumes ${SPOT_SAVING * 100} % off, which is not guaranteed, and spot may pause.`,
  ];
}

/** The imports that full-size models need first. */
function importLine({ models, request }: Plan): string[] {
  if (scaleOf(models) !== 'full') return [];
  const extra = optionalModels(parseRequest(JSON.stringify(request)), 'full');
  const ids = eachModel(models)
    .map(({ id }) => id)
    .filter((id) => !extra.includes(id));
  return [
    `Before the first run in an account, import each model once with npx proxytune import-model MODEL --stack NAME: ${ids.join(', ')} (docs/models.md).`,
    ...(extra.length === 0
      ? []
      : [
          `Not needed, but imported too they measure more: ${extra.join(', ')}. MaSC, which needs a segmenter, then decides the verdict: it agrees with people better than DINO.`,
        ]),
  ];
}

/** The first mail is lost unless the address confirms before the run ends: SNS keeps none for later. */
function mailLine({ models, request: { notify } }: Plan): string[] {
  if (typeof notify !== 'string' || scaleOf(models) !== 'full') return [];
  return [
    `${notify} gets a mail from AWS when its first run is planned, and must confirm it once: until then, no notification arrives.`,
  ];
}

function whoTeaches({ method, models: { teacher, student } }: Plan): string {
  if (teacher !== undefined) return `${teacher.title} teaches ${student.title}`;
  return `${student.title} without a teacher (${method.title})`;
}

/** The fields of the request that the method has no use for. */
function unusedLine({ method, unused }: Plan): string[] {
  return unused.length === 0 ? [] : [`without effect with method ${method.id}: ${unused.join(', ')}`];
}

/** How many proxies there will be of which prompt, and how many of them name a context; or what there is instead. */
export function proxiesLines({ method, stages, proxies, proxiesInContext, prompts }: Plan): string[] {
  if (proxies === null) {
    const how = stages.flatMap((stage) => ('hyperparameters' in stage ? [stage.hyperparameters] : []));
    const count = how.find((one) => one.stage === 'learn')?.proxies;
    return [
      method.trainsOn === 'augmented'
        ? `no proxies: ${count} variations of the photos`
        : 'no proxies: the student trains on the photos',
    ];
  }
  return [proxiesOfTeacher({ proxies, proxiesInContext, prompts })];
}

function proxiesOfTeacher({
  proxies,
  proxiesInContext,
  prompts,
}: Pick<Plan, 'proxies' | 'proxiesInContext' | 'prompts'>): string {
  const all = `${proxies} proxies of "${prompts.proxy}"`;
  if (proxiesInContext === 0) return `${all}, none in a context, as in the paper`;
  const contexts = Math.min(proxiesInContext, prompts.inContext.length);
  return `${all}, ${proxiesInContext} of them in one of ${contexts} contexts, such as "${prompts.inContext[0]?.prompt}"`;
}

function steps(parameters: Hyperparameters): string {
  return 'steps' in parameters ? `${parameters.steps} steps` : '';
}
