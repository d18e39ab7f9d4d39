import {
  chunkName,
  chunkOfOutput,
  INTERMEDIATES,
  keys,
  requireSubjectName,
  signalledFolder,
} from '../../lib/core/keys.ts';
import { jobName, jobPrefix, parseJobName, runId, stackDigest, tokenSecret } from '../../lib/core/names.ts';
import { correction, distance, likely, nearest } from '../../lib/core/nearest.ts';
import { JOB_STAGES } from '../../lib/core/words.ts';

const PREFIX = jobPrefix('Proxytune');
const upload = { bucket: 'bucket', key: 'subjects/dog/subject.json', version: 'v1' };

describe('a run', () => {
  test('has the same name for the same upload, another for another version', () => {
    expect(runId('dog', upload)).toBe(runId('dog', { ...upload }));
    expect(runId('dog', upload)).not.toBe(runId('dog', { ...upload, version: 'v2' }));
    expect(runId('dog', upload)).not.toBe(runId('dog', { ...upload, bucket: 'other' }));
  });

  test('differs from others by the SHA-256 of its upload', () => {
    // printf 'bucket/subjects/dog/subject.json@v1' | sha256sum
    expect(runId('dog', upload)).toBe('dog-b39a392d');
    // Both are 063a1b5d by FNV-1a with an avalanche: the second upload would have been taken for the first.
    expect(runId('dog', { ...upload, version: 'v63579' })).not.toBe(
      runId('dog', { ...upload, version: 'v309910' }),
    );
  });

  test.each(['dog', 'My_Dog--2', 'a'.repeat(40), '_-_', 'Grey-Sloth-Plushie-Number-12-of-many'])(
    'of %j has a name that Step Functions, SageMaker and S3 all take',
    (subject) => {
      expect(runId(subject, upload)).toMatch(/^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?-[0-9a-f]{8}$/);
    },
  );
});

describe('a stack', () => {
  test('has a prefix of one length, whatever its name, and another than stacks with similar names', () => {
    const names = [
      'P',
      'Proxytune',
      'proxytune',
      'Proxytune-2',
      'Proxytune2',
      'P'.repeat(40),
      'Proxytune-Data',
    ];
    const prefixes = names.map(jobPrefix);
    for (const prefix of prefixes) expect(prefix).toMatch(/^proxytune-[0-9a-z]{4}-$/);
    expect(new Set(prefixes).size).toBe(names.length);
    expect(new Set(names.map(tokenSecret)).size).toBe(names.length);
  });

  test('has a digest that never changes, as running jobs and policies have it', () => {
    // printf Proxytune | sha256sum, its first 12 digits modulo 36^4, in base 36
    expect(stackDigest('Proxytune')).toBe('a6uu');
  });
});

describe('a job', () => {
  test.each([...JOB_STAGES])('of stage %s can be read back from its name, even at its longest', (stage) => {
    const identity = { run: runId('a-2-b-'.repeat(6), upload), stage, attempt: 99 };
    const name = jobName(identity, PREFIX);
    expect(name).toMatch(/^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$/);
    expect(name.length).toBeLessThanOrEqual(63);
    expect(parseJobName(name, PREFIX)).toEqual(identity);
  });

  test('of a later round has it in its name, so that no two rounds share a job', () => {
    const identity = { run: 'dog-00000000', stage: 'synthesize', attempt: 2, round: 20 } as const;
    expect(jobName(identity, PREFIX)).toBe(`${PREFIX}dog-00000000-synthesize-r20-a2`);
    expect(parseJobName(jobName(identity, PREFIX), PREFIX)).toEqual(identity);
    expect(jobName({ ...identity, round: 1 }, PREFIX)).toBe(`${PREFIX}dog-00000000-synthesize-a2`);
  });

  test.each([
    '',
    'other-job',
    'proxytune-dog-00000000-teach-a1',
    `${jobPrefix('Another')}dog-00000000-teach-a1`,
    `${PREFIX}dog-teach-a1`,
    `${PREFIX}dog-00000000-bake-a1`,
    `${PREFIX}dog-00000000-teach`,
  ])('that is not ours is not read: %j', (name) => {
    expect(parseJobName(name, PREFIX)).toBeUndefined();
  });
});

describe('keys', () => {
  test('every prefix ends in a slash, as S3 matches prefixes as plain strings', () => {
    const prefixes = [
      keys.photos('s'),
      keys.run('r'),
      keys.intermediates('r'),
      INTERMEDIATES,
      keys.references('r'),
      keys.chunks('r', 'synthesize'),
      keys.pictures('r', 'synthesize'),
      keys.picturesOfAttempt('r', 'synthesize', 1),
      keys.picturesOfAttempt('r', 'synthesize', 1, 2),
      keys.curation('r'),
      keys.checkpoints('r', 'teach'),
      keys.jobs('r'),
      keys.report('r'),
      keys.model('m'),
    ];
    expect(prefixes.filter((prefix) => !prefix.endsWith('/'))).toEqual([]);
  });

  test('the outputs of a transform never lie under its inputs', () => {
    expect(keys.picturesOfAttempt('r', 'synthesize', 1).startsWith(keys.chunks('r', 'synthesize'))).toBe(
      false,
    );
  });

  test.each([0, 7, 12345])('chunk %d is found again in the name of its output, at any depth', (chunk) => {
    expect(chunkOfOutput(`a/b/${chunkName(chunk)}.out`)).toBe(chunk);
    expect(chunkOfOutput(`${chunkName(chunk)}.out`)).toBe(chunk);
    expect(chunkOfOutput(`a/${chunkName(chunk)}`)).toBeUndefined();
  });

  test('a ready signal names its subject', () => {
    expect(signalledFolder('subjects/my_dog-2/subject.json')).toBe('my_dog-2');
    expect(signalledFolder('subjects/my dog+/subject.json')).toBe('my dog+');
  });

  test.each([
    'subjects/a/b/subject.json',
    'subject.json',
    'subjects/subject.json',
    'subjects/a/subject.json.bak',
  ])('%j is not a ready signal', (key) => {
    expect(signalledFolder(key)).toBeUndefined();
  });

  test.each(['my_dog-2', 'A', 'a'.repeat(40)])('a subject may be called %j', (folder) => {
    expect(() => requireSubjectName(folder)).not.toThrow();
  });

  test.each(['a b', 'a+b', '-rex', 'été', '', 'a'.repeat(41), '..'])(
    'a subject may not be called %j',
    (folder) => {
      expect(() => requireSubjectName(folder)).toThrow(expect.objectContaining({ name: 'RequestInvalid' }));
    },
  );
});

describe('the nearest word', () => {
  test('counts letters put in, left out and changed', () => {
    expect([distance('', 'abc'), distance('kitten', 'sitting'), distance('same', 'same')]).toEqual([3, 3, 0]);
  });

  test('ignores case, and is nothing among nothing', () => {
    expect(nearest('TEACHER', ['student', 'teacher'])).toBe('teacher');
    expect(nearest('x', [])).toBeUndefined();
  });

  test('is suggested only where a third of the letters or fewer are wrong', () => {
    const known = ['seed', 'teacher', 'proxies'];
    expect(['sed', 'Teecher', 'proxys', 'foo', 'se', ''].map((word) => likely(word, known))).toEqual([
      'seed',
      'teacher',
      'proxies',
      undefined,
      undefined,
      undefined,
    ]);
    expect(correction('proxys', known)).toBe('did you mean proxies?');
    expect(correction('foo', known)).toBe('known are seed, teacher, proxies');
  });
});
