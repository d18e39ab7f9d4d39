/** Keeps the user's own AWS settings out of the local cloud, so that nothing reaches an account. */

/**
 * Removes every AWS setting from an environment: a profile, keys, an endpoint, or an option such as
 * AWS_USE_FIPS_ENDPOINT, with which the SDK rejects local endpoints. The files in ~/.aws are no longer read.
 */
export function clearAwsSettings(environment: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(environment)) if (name.startsWith('AWS_')) delete environment[name];
  Object.assign(environment, NO_AWS_FILES);
}

/** Variables that keep all AWS SDKs from using the user's files and an instance's role. */
export const NO_AWS_FILES = {
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
} as const;
