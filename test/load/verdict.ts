/** The fate of the uploads of a load test. */

/** One execution of the state machine. */
export interface Started {
  readonly name: string;
  readonly status: string;
  readonly error?: string | undefined;
}

export interface Verdict {
  /** Subjects without a run. */
  readonly lost: readonly string[];
  /** Subjects with more than one run. */
  readonly doubled: readonly string[];
  /** Runs that ended in another way than expected. */
  readonly wrong: readonly string[];
}

/**
 * Compares the runs with the uploads, one of each for a subject.
 *
 * @param expected - by subject, the error in which its run must end; undefined for one that goes on to its first job
 */
export function judge(
  expected: ReadonlyMap<string, string | undefined>,
  started: readonly Started[],
): Verdict {
  const runsOf = (subject: string) => started.filter(({ name }) => name.startsWith(`${subject}-`));
  const subjects = [...expected.keys()];
  const wrong = subjects.flatMap((subject) =>
    runsOf(subject)
      .filter(({ status, error }) =>
        expected.get(subject) === undefined ? status !== 'RUNNING' : error !== expected.get(subject),
      )
      .map(({ name, status, error }) => `${name}: ${status}${error === undefined ? '' : ` ${error}`}`),
  );
  return {
    lost: subjects.filter((subject) => runsOf(subject).length === 0),
    doubled: subjects.filter((subject) => runsOf(subject).length > 1),
    wrong,
  };
}
