/** The schema of names.json. Only tests parse with it; everything else needs its type alone. */
import { z } from 'zod';

const name = z.string().min(1);
const generatingRole = z.enum(['teacher', 'student']);

export const namesSchema = z.strictObject({
  limits: z.strictObject({
    /** Of a subject. */
    photos: z.int().min(1),
    /** More cost more than they can teach. */
    proxies: z.int().min(1),
    /** Of a training; ten times as many as any recipe needs. */
    steps: z.int().min(1),
    /** The mean of 200 proxies is known to about 0.01; more would only make the report large. */
    scoredProxies: z.int().min(1),
  }),
  /** Input channels of training jobs: folders below /opt/ml/input/data. */
  channels: z.strictObject({
    /** The base model that is tuned, or that generates. */
    base: name,
    adapter: name,
    chunks: name,
    plan: name,
    references: name,
    proxies: name,
    curation: name,
    clip: name,
    dino: name,
    /** The model that finds the subject in photos and proxies. */
    segmenter: name,
    /** The encoder of MaSC; optional. */
    siglip: name,
    /** The encoders of DreamSim; optional. */
    dreamsim: name,
    /** Masks of the photos, as the teacher was trained with them. */
    masks: name,
    proxyMasks: name,
    /** Class images that an earlier run generated; optional. */
    classImages: name,
    /** Images of the teacher's checkpoints, and which checkpoint was selected. */
    validation: name,
    /** The losses of the two trainings. */
    lossesTeacher: name,
    lossesStudent: name,
    samplesTeacher: name,
    samplesStudent: name,
    importRequest: name,
  }),
  files: z.strictObject({
    plan: name,
    /** Next to the references: the result of the photos' inspection. */
    findings: name,
    progress: name,
    choice: name,
    losses: name,
    curation: name,
    /** The last file of the photos' masks: their sources and shares. */
    masks: name,
    proxyMasks: name,
    /** The last file of a complete base model. */
    manifest: name,
    importRequest: name,
    /** SageMaker's own name for the output of a training job. */
    adapterArchive: name,
    classArchive: name,
    metrics: name,
    reportPage: name,
  }),
  /** Below the checkpoint folder of the stage teach; `masks` below that of curate too. */
  folders: z.strictObject({ classImages: name, validation: name, losses: name, masks: name }),
  /** `chunk-0001.json`; a batch transform appends its own ending to the name of an object that it answers. */
  chunks: z.strictObject({ prefix: name, digits: z.int().min(1), suffix: name, shardEnding: name }),
  /** `reference-00.png`, and what belongs to it under the same name with another ending. */
  references: z.strictObject({
    prefix: name,
    digits: z.int().min(1),
    image: name,
    caption: name,
    mask: name,
  }),
  /** The model that generates the images of a stage. */
  stageRoles: z.strictObject({
    synthesize: generatingRole,
    'sample-teacher': generatingRole,
    'sample-student': generatingRole,
  }),
  /** The seed of an image is the request's seed + stream * streamWidth + its number, within 31 bits. */
  seeds: z.strictObject({
    streamWidth: z.int(),
    /** Apart from each other, so that no proxy repeats the noise of a sample. */
    streams: z.strictObject({ proxies: z.int(), samples: z.int(), validation: z.int() }),
  }),
  /** Places in the report that publish fills in: `{stage}` stands for the stage of the job. */
  reportSlots: z.strictObject({ stages: name, job: name }),
  /** Variables of containers. */
  environment: z.strictObject({
    /** GPUs that the instance type of the job has; a container that sees fewer ends with GpuMissing. */
    gpus: name,
    /** Set where another machine takes the place of the instance, as in the local cloud: it needs no GPUs. */
    emulated: name,
    /** This and all that follow: of a container that serves. */
    role: name,
    family: name,
    model: name,
    baseModel: name,
    /** Address of the chunks to come, so that their prompts can be encoded at once. */
    chunks: name,
    /** Address to write an error to, because a batch transform reports none. */
    failureNote: name,
    bindHost: name,
  }),
});

export type Names = z.infer<typeof namesSchema>;
