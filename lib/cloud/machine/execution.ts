/**
 * The identity of an execution, for the lambdas that read or write the run's record: a redriven execution continues
 * inside the pipeline, and the record of its run, which is over, is opened again by whatever runs first.
 */
const EXECUTION = '$states.context.Execution';

/** How often the execution was redriven so far. */
export const REDRIVES = `{% ${EXECUTION}.RedriveCount %}`;

export const EXECUTION_IDENTITY = {
  name: `{% ${EXECUTION}.Name %}`,
  // Only an execution that was redriven has a time of its redrive.
  begunAt: `{% $exists(${EXECUTION}.RedriveTime) ? ${EXECUTION}.RedriveTime : ${EXECUTION}.StartTime %}`,
  redrives: REDRIVES,
};

/** True in a state that failed with so many redrives, as its input says, and is entered again by another one. */
export const REDRIVEN_SINCE = `{% ${EXECUTION}.RedriveCount > $states.input.redrives %}`;
/** The input of the execution, which every one of its runs of the pipeline begins with. */
export const EXECUTION_INPUT = `{% ${EXECUTION}.Input %}`;
