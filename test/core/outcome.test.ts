import {
  errorNames,
  exitCode,
  isErrorName,
  ProxytuneError,
  parseFailure,
  retryableNames,
} from '../../lib/core/errors.ts';
import { failureMail, jobError, jobMessage, readCause, successMail } from '../../lib/core/jobs/messages.ts';
import { outcomeOf, recordedOutcome, refusal } from '../../lib/core/jobs/outcome.ts';
import type { JobRecord } from '../../lib/core/jobs/records.ts';

describe('the outcome of a job', () => {
  test('is read from its description', () => {
    expect(outcomeOf({ TrainingJobStatus: 'InProgress' })).toEqual({ over: false, status: 'InProgress' });
    expect(outcomeOf({ TrainingJobStatus: 'Stopping' })).toEqual({ over: false, status: 'Stopping' });
    expect(outcomeOf({ TrainingJobStatus: 'Completed', BillableTimeInSeconds: 61 })).toEqual({
      over: true,
      ok: true,
      seconds: 61,
    });
  });

  test('counts the seconds of a transform, and none where its times are missing', () => {
    const times = { TransformStartTime: new Date(1000), TransformEndTime: new Date(31_000) };
    expect(outcomeOf({ TransformJobStatus: 'Completed', ...times })).toMatchObject({ seconds: 30 });
    expect(outcomeOf({ TransformJobStatus: 'Failed', FailureReason: 'x' })).toMatchObject({ seconds: 0 });
  });

  test.each([
    'AlgorithmError: See job logs for more information, exit code: 137',
    'AlgorithmError: , exit code: 137',
    'AlgorithmError: ExecuteUserScriptError:\nExitCode -9\nErrorMessage ""',
    'AlgorithmError: ExitCode: -9',
  ])('is want of memory where the container was killed: %s', (FailureReason) => {
    const outcome = outcomeOf({ TrainingJobStatus: 'Failed', FailureReason });
    expect(outcome).toMatchObject({
      error: 'OutOfMemory',
      message: expect.stringMatching(/What to do: lower batchSize/),
    });
    expect(outcomeOf({ TransformJobStatus: 'Failed', FailureReason })).toMatchObject({
      error: 'OutOfMemory',
    });
  });

  test.each([
    ['AlgorithmError: See job logs, exit code: 1', 'JobFailed'],
    ['AlgorithmError: step 1370 of 2000, exit code: 13', 'JobFailed'],
    ['AlgorithmError: it printed code 137, exit code: 2', 'JobFailed'],
    ['AlgorithmError: TrainingDiverged: the loss is NaN, exit code: 137', 'TrainingDiverged'],
  ])('is not want of memory otherwise: %s', (FailureReason, error) => {
    expect(outcomeOf({ TrainingJobStatus: 'Failed', FailureReason })).toMatchObject({ error });
  });

  test('counts a begun second, as it is billed: what ran is never free', () => {
    const times = { TransformStartTime: new Date(1000), TransformEndTime: new Date(1200) };
    expect(outcomeOf({ TransformJobStatus: 'Completed', ...times })).toMatchObject({ seconds: 1 });
  });

  test('of a transform that goes on says since when it is billed', () => {
    const TransformStartTime = new Date(5000);
    expect(outcomeOf({ TransformJobStatus: 'InProgress', TransformStartTime })).toEqual({
      over: false,
      status: 'InProgress',
      since: TransformStartTime,
    });
    // SageMaker's own limit ends a training, which may also pause on spot.
    expect(outcomeOf({ TrainingJobStatus: 'InProgress', TrainingStartTime: new Date(5000) })).toEqual({
      over: false,
      status: 'InProgress',
    });
  });

  test('may be in the table already', () => {
    const job = { state: 'WAITING', seconds: 7 } as JobRecord;
    expect(recordedOutcome(job)).toBeUndefined();
    expect(recordedOutcome({ ...job, state: 'SUCCEEDED' })).toEqual({ over: true, ok: true, seconds: 7 });
    const failure = { error: 'OutOfMemory', message: 'too much' } as const;
    expect(recordedOutcome({ ...job, state: 'FAILED', ...failure })).toEqual({
      over: true,
      ok: false,
      seconds: 7,
      ...failure,
    });
  });

  test.each([
    [
      'CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type.',
      'CapacityUnavailable',
    ],
    ['InternalServerError: We encountered an internal error. Please try again.', 'ServiceFault'],
    [
      'ClientError: Please use an instance type with more memory, or reduce the size of job data processed on an instance.',
      'OutOfMemory',
    ],
    ['ClientError: Artifact upload failed:Insufficient disk space', 'OutOfDisk'],
    [
      'ClientError: Cannot pull algorithm container. Either the image does not exist or its permissions are incorrect.',
      'JobRefused',
    ],
    [
      'AlgorithmError: TrainingDiverged: The loss is no longer a number. What to do: lower the rate., exit code: 1',
      'TrainingDiverged',
    ],
    ['AlgorithmError: something odd, exit code: 1', 'JobFailed'],
    ['', 'JobFailed'],
  ])('%j is %s', (FailureReason, error) => {
    expect(outcomeOf({ TrainingJobStatus: 'Failed', FailureReason })).toMatchObject({ ok: false, error });
  });

  test('out of time arrives as Stopped, which the user did not ask for', () => {
    expect(outcomeOf({ TrainingJobStatus: 'Stopped', SecondaryStatus: 'MaxRuntimeExceeded' })).toMatchObject({
      error: 'JobOutOfTime',
    });
    expect(outcomeOf({ TrainingJobStatus: 'Stopped', SecondaryStatus: 'Stopped' })).toMatchObject({
      error: 'JobStopped',
    });
  });
});

describe('a refused request', () => {
  const quota = (limit: number) => ({
    name: 'ResourceLimitExceeded',
    message: `The account-level service limit 'ml.g5.2xlarge for training job usage' is ${limit} Instances, with current utilization of ${limit} Instances and a request delta of 1 Instances.`,
  });
  test.each([
    [quota(0), 'QuotaTooLow'],
    [quota(2), 'QuotaBusy'],
    [{ name: 'ThrottlingException', message: 'Rate exceeded' }, 'ServiceFault'],
    [{ name: 'ValidationException', message: 'Could not assume role arn:aws:iam::1:role/x' }, 'ServiceFault'],
    [{ name: 'ValidationException', message: '1 validation error detected' }, 'JobRefused'],
    [
      {
        name: 'ResourceLimitExceeded',
        message: 'The requested resource training-job/ml.p2.xlarge is not available in this region',
      },
      'JobRefused',
    ],
    // A fault of theirs, or no answer at all: the job may exist, and the next call reuses it.
    [{ name: 'InternalFailure', message: 'oops', $fault: 'server', $metadata: {} } as const, 'ServiceFault'],
    [{ name: 'TimeoutError', message: 'socket hang up', $metadata: { attempts: 8 } }, 'ServiceFault'],
    [
      { name: 'AccessDeniedException', message: 'no', $fault: 'client', $metadata: {} } as const,
      'JobRefused',
    ],
    // Our mistake is not the user's fault.
    [{ name: 'TypeError', message: 'x is not a function' }, 'JobRefused'],
  ])('%j', (error, name) => {
    expect(refusal(error).error).toBe(name);
  });
});

describe('errors', () => {
  test('say what, given, allowed and remedy, each once', () => {
    const error = new ProxytuneError('OverBudget', {
      what: 'Too expensive',
      given: '5',
      allowed: '4',
      remedy: 'save',
    });
    expect(error.message).toBe('Too expensive. Given: 5. Allowed: 4. What to do: save.');
  });

  test('have exit codes', () => {
    expect([
      exitCode('OverBudget'),
      exitCode('FolderMissing'),
      exitCode('Interrupted'),
      exitCode('Error'),
    ]).toEqual([3, 2, 130, 1]);
    for (const name of errorNames()) expect([1, 2, 3, 130]).toContain(exitCode(name));
  });

  test('that come from the user are never retried', () => {
    expect(retryableNames().filter((name) => exitCode(name) !== 1)).toEqual([]);
    expect(retryableNames()).toContain('CapacityUnavailable');
  });

  test('are found in a failure file wherever the name stands', () => {
    expect(parseFailure('AlgorithmError: ShardInvalid: broken, exit code: 1')).toEqual({
      name: 'ShardInvalid',
      message: 'broken, exit code: 1',
    });
    expect(parseFailure('ValueError: no').name).toBe('JobFailed');
    expect(isErrorName('toString')).toBe(false);
  });
});

describe('what the user reads', () => {
  const BILL = { usd: 0, open: false };

  test('says what a failed run cost, and when some of that is not known yet', () => {
    const mail = (bill: typeof BILL) =>
      failureMail({ runId: 'r', subject: 's', bill }, { error: 'JobFailed', message: 'm' }).text;
    expect(mail({ usd: 1.236, open: false })).toMatch(/^Compute: 1\.24 USD at list prices\.$/m);
    expect(mail({ usd: 0, open: true })).toMatch(
      /^Compute: 0\.00 USD at list prices, without the jobs that were stopped/m,
    );
  });

  test('unwraps the JSON that Lambda puts around an error', () => {
    const Cause = JSON.stringify({
      errorType: 'OverBudget',
      errorMessage: 'Too expensive. What to do: save.',
      trace: [],
    });
    expect(readCause({ Error: 'OverBudget', Cause })).toEqual({
      error: 'OverBudget',
      message: 'Too expensive. What to do: save.',
    });
  });

  test.each([
    [
      { Error: 'AccessDenied', Cause: '{"errorType":"AccessDenied","errorMessage":"Access Denied"}' },
      'Access Denied',
    ],
    [
      { Error: 'TypeError', Cause: '{"errorType":"TypeError","errorMessage":"x is not a function"}' },
      'x is not a function',
    ],
    [
      { Error: 'Lambda.Unknown', Cause: '{"errorType":"Sandbox.Timedout"}' },
      '{"errorType":"Sandbox.Timedout"}',
    ],
    [{ Error: 'Error', Cause: '' }, 'it gave no cause.'],
  ])('names what has no name of ours: %j', (error, text) => {
    const { error: name, message } = readCause(error);
    expect(name).toBe('StepFailed');
    const was = error.Error === 'Lambda.Unknown' ? 'Sandbox.Timedout' : error.Error;
    expect(message).toMatch(/^\w[\w.]*: .* What to do: look at the log of the lambda/);
    expect(message.startsWith(`${was}: ${text}`)).toBe(true);
  });

  test('leaves Step Functions its own names', () => {
    const error = { Error: 'States.Timeout', Cause: 'too long' };
    expect(readCause(error)).toMatchObject({
      error: 'States.Timeout',
      message: expect.stringContaining('too long'),
    });
    expect(jobError('States.Timeout', 'too long')).toMatchObject({ name: 'States.Timeout' });
  });

  test('always says what to do', () => {
    for (const error of [{ Error: 'States.Timeout' }, { Error: 'TypeError', Cause: 'x' }, {}]) {
      const read = readCause(error);
      expect(read.message).toContain('What to do:');
      // The execution ends with this text, and its end is read again.
      expect(readCause({ Error: read.error, Cause: read.message })).toEqual(read);
    }
    expect(jobMessage({ jobName: 'j', kind: 'training' }, 'it broke')).toMatch(
      /What to do: read the log .*TrainingJobs, j/,
    );
  });

  test('fits into a mail subject of SNS', () => {
    const mail = failureMail(
      { runId: 'r', subject: 's'.repeat(200), bill: BILL },
      { error: 'JobFailed', message: 'm\nn' },
    );
    expect(mail.subject.length).toBeLessThan(100);
    expect(mail.subject).not.toMatch(/[\r\n]/);
    expect(mail.text).toContain('m\nn');
  });

  test.each([
    ['a\u0000b\tc\r\nd\u0085e\u2028f', 'Proxytune: ab c d e f'],
    ['\u202egnp.exe\u2066 x\u200f', 'Proxytune: gnp.exe x'],
    ['\u0007\u202e \n', 'Proxytune: rex-00000001'],
    ['half \ud83d a character', 'Proxytune: half a character'],
    ['Ünal 犬', 'Proxytune: Ünal 犬'],
  ])('has no character that SNS refuses in a mail subject, and is never empty: %j', (subject, beginning) => {
    const run = { runId: 'rex-00000001', subject, report: 's3://b/k', usd: 1, verdict: 'v', bill: BILL };
    const failed = failureMail(run, { error: 'JobFailed', message: 'm' }).subject;
    expect(failed).toBe(`${beginning} failed (JobFailed)`);
    for (const mail of [failed, successMail(run).subject]) expect(mail).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
  });

  test('is cut between characters', () => {
    const subject = '😀'.repeat(60);
    const { subject: cut } = failureMail(
      { runId: 'r', subject, bill: BILL },
      { error: 'JobFailed', message: 'm' },
    );
    expect(cut).toBe(`Proxytune: ${'😀'.repeat(44)}`);
    expect(cut.isWellFormed()).toBe(true);
  });

  test('keeps the message of a job as it is', () => {
    expect(jobError('JobFailed', 'all of it')).toMatchObject({ name: 'JobFailed', message: 'all of it' });
  });
});
