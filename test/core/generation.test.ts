/** Pictures of a prompt of one's own: what is planned, refused and noted, and requests that SageMaker takes. */
import { createHash } from 'node:crypto';
import { model, requestable } from '../../lib/core/catalogue/models.ts';
import { chunk as chunkSchema } from '../../lib/core/contract/pictures.ts';
import {
  type Asked,
  adapterOf,
  checkAsked,
  generationDrawing,
  generationNotes,
  generationRecord,
  MOST_PICTURES,
  planGeneration,
  requireTrained,
} from '../../lib/core/jobs/generation.ts';
import { fillPrompt, requireReadable, unknownWords } from '../../lib/core/jobs/generation-prompt.ts';
import { drawingOf, modelRequest, transformJobRequest } from '../../lib/core/jobs/requests.ts';
import { keys } from '../../lib/core/keys.ts';
import { generationJobName, parseJobName } from '../../lib/core/names.ts';
import { makePlan } from '../../lib/core/plan/make-plan.ts';
import { type Plan, transformOf } from '../../lib/core/plan/plan.ts';
import { parseRequest } from '../../lib/core/request/request.ts';
import { plan as planned, refusal } from './planning.ts';
import { BUCKET, CONTEXT, checkTransform, PREFIX, RUN } from './requesting.ts';

const JOB = `${PREFIX}${RUN}-learn-a1`;
const ADAPTER = { job: JOB, uri: `s3://bucket/runs/${RUN}/jobs/${JOB}/output/model.tar.gz` };
const PROMPT = 'a photo of a {token} dog at sunset';
const WORDS = ['a', 'at', 'car', 'of', 'photo', 'snow', 'sunset'];

function plan(fields: object = {}, scale: 'full' | 'tiny' = 'full'): Plan {
  const request = parseRequest(JSON.stringify({ category: 'dog', consent: true, seed: 7, ...fields }));
  return makePlan(request, { runId: RUN, subject: 'rex', bucket: BUCKET, scale, version: '1' });
}

const ask = (asked: Partial<Asked> = {}): Asked => ({ prompt: PROMPT, count: 4, of: 'student', ...asked });

const generation = (asked: Partial<Asked> = {}, made = plan()) => planGeneration(made, ask(asked), ADAPTER);

describe('a generation', () => {
  test('has the token word in its prompt, and the seed of the run unless another is given', () => {
    const { prompt, seed, chunks } = generation();
    expect(prompt).toBe('a photo of a ohwx dog at sunset');
    expect(seed).toBe(7);
    const pictures = chunks.flatMap((chunk) => chunk.pictures);
    expect(pictures.map(({ index, seed: own }) => [index, own])).toEqual([
      [0, 7],
      [1, 8],
      [2, 9],
      [3, 10],
    ]);
    expect(new Set(pictures.map((picture) => picture.prompt))).toEqual(new Set([prompt]));
  });

  test('is drawn as its run drew its samples, tuned, in chunks of the same size', () => {
    for (const painter of ['student', 'teacher'] as const) {
      const made = plan();
      const { chunks, how } = generation({ of: painter, count: MOST_PICTURES }, made);
      const sample = transformOf(made, `sample-${painter}`);
      for (const chunk of chunks) {
        expect(chunkSchema.parse(chunk)).toMatchObject({
          stage: `sample-${painter}`,
          variant: 'tuned',
          size: sample.size,
          sampler: sample.sampler,
        });
        expect(chunk.pictures.length).toBeLessThanOrEqual(sample.picturesPerChunk);
      }
      expect(chunks.map(({ chunk }) => chunk)).toEqual(chunks.map((_, at) => at));
      expect(how).toMatchObject({ chunks: chunks.length, pictures: MOST_PICTURES, role: painter });
    }
  });

  test('costs the loading of the model and each picture', () => {
    const { minutes } = model('llamagen-xl');
    expect(generation({ count: 10 }).how.minutes).toBeCloseTo(minutes.load + 10 * minutes.perPicture, 2);
    expect(generation({ count: 64 }).how.usd).toBeGreaterThan(generation({ count: 1 }).how.usd);
  });

  test('has the same id for the same wish, another for any other', () => {
    expect(generation().id).toBe(generation({ seed: 7 }).id);
    const others = [
      generation({ seed: 8 }),
      generation({ count: 5 }),
      generation({ prompt: 'a {token} dog' }),
      planGeneration(plan(), ask(), { ...ADAPTER, job: `proxytune-${RUN}-learn-a2` }),
    ];
    expect(new Set([generation(), ...others].map(({ id }) => id)).size).toBe(5);
    for (const { id } of others) expect(id).toMatch(/^[0-9a-f]{8}$/);
  });

  test('has an id by SHA-256 of the wish, as another wish of the same id would be given its pictures', () => {
    const { adapterJob, prompt, seed, how, id } = generation();
    const wish = JSON.stringify([adapterJob, prompt, how.pictures, seed]);
    expect(id).toBe(createHash('sha256').update(wish).digest('hex').slice(0, 8));
  });

  test('says what it is in its record', () => {
    expect(generationRecord(plan(), generation())).toMatchObject({
      run: RUN,
      of: 'student',
      model: 'llamagen-xl',
      adapterJob: JOB,
      prompt: 'a photo of a ohwx dog at sunset',
      seed: 7,
      pictures: 4,
    });
  });
});

const CHOICES = requestable('teacher').flatMap((teacher) =>
  (['full', 'tiny'] as const).flatMap((scale) =>
    (['student', 'teacher'] as const).map((of) => ({ teacher, scale, of })),
  ),
);

test.each(CHOICES)('$of after $teacher, $scale: requests that SageMaker takes', ({ teacher, scale, of }) => {
  const { domain } = model(teacher);
  const rest = domain === 'photographs' ? {} : { student: studentOf(domain), category: 'car' };
  const made = plan({ teacher, ...rest }, scale);
  const drawing = generationDrawing(made, generation({ of, count: 64 }, made), 999, PREFIX);
  const context = {
    ...CONTEXT,
    artifactUri: `s3://${made.bucket}/${keys.jobs(RUN)}${JOB}/output/model.tar.gz`,
  };
  const wanted = modelRequest(made, drawing, context);
  const transform = transformJobRequest(made, drawing, drawing.how.instances);
  checkTransform(wanted, transform);
  expect(transform.Tags).toContainEqual({ Key: 'proxytune:stage', Value: 'generate' });
  // The same container and environment as the stage of the run, but for the places of its note and its chunks.
  const { Environment: own } = wanted.PrimaryContainer;
  const stage = drawingOf(made, { run: RUN, stage: `sample-${of}`, attempt: 1 }, PREFIX);
  const { Environment: sample } = modelRequest(made, stage, context).PrimaryContainer;
  const places = { PROXYTUNE_FAILURE_NOTE: '', PROXYTUNE_CHUNKS: '' };
  expect({ ...own, ...places }).toEqual({ ...sample, ...places });
  expect(own.PROXYTUNE_CHUNKS).toBe(
    `s3://${made.bucket}/runs/${RUN}/generated/${generation({ of, count: 64 }, made).id}/chunks/`,
  );
});

function studentOf(domain: string): string {
  return requestable('student').find((id) => model(id).domain === domain) ?? '';
}

describe('the job of a generation', () => {
  const name = generationJobName({ run: RUN, id: 'ffffffff', attempt: 999 }, PREFIX);

  test('has a name that SageMaker takes and no stage of a run is called by', () => {
    expect(name.length).toBeLessThanOrEqual(63);
    expect(name).toMatch(/^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$/);
    expect(parseJobName(name, PREFIX)).toBeUndefined();
    expect(
      parseJobName(generationJobName({ run: RUN, id: '00000000', attempt: 1 }, PREFIX), PREFIX),
    ).toBeUndefined();
  });

  test('writes below its own folder of the run, each attempt for itself', () => {
    const made = plan();
    const wish = generation({}, made);
    const outputs = [1, 2].map((attempt) => generationDrawing(made, wish, attempt, PREFIX).output);
    expect(outputs).toEqual([
      `runs/${RUN}/generated/${wish.id}/pictures/a1/`,
      `runs/${RUN}/generated/${wish.id}/pictures/a2/`,
    ]);
    for (const output of outputs) expect(output.startsWith(keys.pictures(RUN, 'sample-student'))).toBe(false);
  });
});

describe('refused by name', () => {
  test.each([
    [{ count: 0 }, '1 to 64'],
    [{ count: 65 }, '1 to 64'],
    [{ count: 1.5 }, '1 to 64'],
    [{ count: Number.NaN }, '1 to 64'],
    [{ seed: -1 }, '0 to 2000000000'],
    [{ seed: 2_000_000_001 }, '0 to 2000000000'],
    [{ prompt: '' }, 'no word'],
    [{ prompt: ' \n ' }, 'no word'],
    [{ prompt: '!?' }, 'no word'],
    [{ prompt: 'word '.repeat(500) }, 'too long'],
  ])('%.40j, before any run is looked for', (asked, words) => {
    expect(() => checkAsked(ask(asked))).toThrow(
      expect.objectContaining({ name: 'UsageInvalid', message: expect.stringContaining(words) }),
    );
    expect(() => generation(asked)).toThrow(expect.objectContaining({ name: 'UsageInvalid' }));
  });

  test('a prompt that the tokenizer would cut off, for the model that draws only', () => {
    const prompt = `a {token} dog ${'and another dog '.repeat(26)}`;
    expect(() => generation({ prompt, of: 'teacher' })).toThrow(
      expect.objectContaining({
        name: 'UsageInvalid',
        message: expect.stringMatching(/81 tokens.*75 tokens/),
      }),
    );
    expect(generation({ prompt }).chunks).toHaveLength(1);
    expect(() => generation({ prompt: `{token} ${'dog '.repeat(119)}` })).toThrow(/120 tokens.*119 tokens/);
    // A second encoder that reads further is enough.
    expect(() => requireReadable(prompt, ['clip', 't5'])).not.toThrow();
    expect(() => requireReadable('dog '.repeat(256), ['clip', 't5'])).toThrow(/255 tokens/);
    expect(() => requireReadable('dog '.repeat(400), [])).not.toThrow();
  });

  test('a price above the limit of the request, or above the one given', () => {
    const made = plan();
    const { usd } = generation({}, made).how;
    const limited: Plan = { ...made, request: { ...made.request, maxUsd: usd / 2 } };
    expect(() => generation({}, limited)).toThrow(expect.objectContaining({ name: 'OverBudget' }));
    expect(generation({ maxUsd: usd }, limited).how.usd).toBe(usd);
    expect(() => generation({ maxUsd: usd - 0.0001 }, made)).toThrow(
      expect.objectContaining({ name: 'OverBudget' }),
    );
  });
});

describe('the adapter', () => {
  const run = { runId: RUN, status: 'FAILED', bucket: 'bucket' };
  const job = (stage: 'teach' | 'learn' | 'synthesize', state: 'SUCCEEDED' | 'FAILED', attempt = 1) => ({
    stage,
    state,
    runId: RUN,
    jobName: `proxytune-${RUN}-${stage}-a${attempt}`,
    artifact: `s3://bucket/runs/${RUN}/jobs/${stage}-${attempt}.tar.gz`,
  });

  test('is that of the attempt that succeeded', () => {
    const jobs = [job('teach', 'SUCCEEDED'), job('learn', 'FAILED'), job('learn', 'SUCCEEDED', 2)];
    expect(adapterOf(run, jobs, 'student')).toEqual({
      job: `proxytune-${RUN}-learn-a2`,
      uri: `s3://bucket/runs/${RUN}/jobs/learn-2.tar.gz`,
    });
    expect(adapterOf(run, jobs, 'teacher').job).toBe(`proxytune-${RUN}-teach-a1`);
  });

  test('that is missing is missed by name, and the teacher is named where it can draw', () => {
    const missing = (jobs: ReturnType<typeof job>[], of: 'student' | 'teacher') => {
      try {
        adapterOf(run, jobs, of);
      } catch (error) {
        expect((error as Error).name).toBe('AdapterMissing');
        return (error as Error).message;
      }
      throw new Error('nothing was missed');
    };
    expect(missing([], 'student')).not.toContain('--of teacher');
    expect(missing([job('teach', 'FAILED')], 'teacher')).toContain(`--resume ${RUN}`);
    expect(missing([job('teach', 'SUCCEEDED'), job('learn', 'FAILED')], 'student')).toContain('--of teacher');
  });

  test('of a run that goes on by itself is to be waited for', () => {
    const going = { ...run, status: 'RUNNING' };
    expect(() => adapterOf(going, [], 'student')).toThrow('wait until it is');
    expect(() => adapterOf(going, [], 'student')).not.toThrow('--resume');
  });
});

describe('the prompt', () => {
  test('is one line with the token word, wherever it stands for it', () => {
    expect(fillPrompt(' a {token}\n dog,  {token} ', 'ohwx')).toBe('a ohwx dog, ohwx');
    expect(fillPrompt('$& {token}', '$1x')).toBe('$& $1x');
  });

  test('without the token word is said not to draw the subject, and drawn all the same', () => {
    const made = plan();
    expect(generationNotes(made, { prompt: 'a dog at sunset' })).toEqual([
      expect.stringContaining('does not hold the token word ohwx'),
    ]);
    for (const prompt of ['a ohwx dog', 'a photo of OHWX, a dog', 'ohwx'])
      expect(generationNotes(made, { prompt })).toEqual([]);
    expect(generationNotes(made, { prompt: 'a ohwxdog' })).toHaveLength(1);
  });

  test('has words that a small domain does not know, each named once, with what was probably meant', () => {
    expect(unknownWords('A photo of a Ohwx cra at SUNSETS, sunsets over mars', 'ohwx', WORDS)).toEqual([
      { word: 'cra' },
      { word: 'sunsets', meant: 'sunset' },
      { word: 'over' },
      { word: 'mars' },
    ]);
    expect(unknownWords('a photo of a ohwx car at sunset.', 'ohwx', WORDS)).toEqual([]);
  });

  test('of unknown words is noted with all that are known; a domain without a list says nothing', () => {
    const made = plan();
    const notes = generationNotes(made, { prompt: 'a ohwx car on snows' }, WORDS);
    expect(notes).toEqual([
      expect.stringMatching(/mean nothing here: on.*, snows \(did you mean snow\?\)$/),
      `known words of this domain: ${WORDS.join(', ')}`,
    ]);
    expect(generationNotes(made, { prompt: 'a ohwx spaceship' }, null)).toEqual([]);
    expect(generationNotes(made, { prompt: 'a ohwx car at sunset' }, WORDS)).toEqual([]);
  });

  test('takes a token a letter for words that the small domain does not know', () => {
    const prompt = 'a photo of a encyclopaedia '.repeat(6);
    expect(() => requireReadable(prompt, ['clip'])).not.toThrow();
    expect(() => requireReadable(prompt, ['clip'], WORDS)).toThrow(/tokens/);
  });
});

test('the teacher of a run whose method trains none is refused by name, its student is not', () => {
  const made = planned({ method: 'direct-lora' });
  expect(refusal(() => requireTrained(made, 'teacher'))).toMatchObject({
    name: 'UsageInvalid',
    message: expect.stringMatching(/method direct-lora.*leave --of out/s),
  });
  expect(() => requireTrained(made, 'student')).not.toThrow();
});
