/** Meanings of the `*` in the keys of several permissions. */
export const OF_EVERY_RUN = 'The `*` is the name of the run or subject, which is not known at deployment.';
export const FILES_OF_A_RUN =
  'A run writes many files below this folder; the `*` are the names of the run and the file.';
export const SHARED_BY_RUNS =
  'Class images, generated without any photo and shared by runs with the same settings, which the `*` identifies.';
