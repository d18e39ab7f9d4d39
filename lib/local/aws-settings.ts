/** The user's own AWS settings, which must neither reach an account from here nor disturb the local cloud. */

/**
 * Takes every AWS setting out of an environment, for good: a profile, keys, an endpoint, or a wish such as
 * AWS_USE_FIPS_ENDPOINT, with which the SDK refuses any endpoint on this machine. The files of ~/.aws are read no more.
 */
export function forgetAwsSettings(environment: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(environment)) if (name.startsWith('AWS_')) delete environment[name];
  Object.assign(environment, NO_AWS_FILES);
}

/** Variables that keep SDKs in any language from the user's files and from an instance's own role. */
export const NO_AWS_FILES = {
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
} as const;
