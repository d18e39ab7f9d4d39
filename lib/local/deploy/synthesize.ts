/** Synthesizes, for the local target, the same app that deploys to an account. */
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ProxytuneError } from '../../core/errors.ts';
import { temporaryFolder } from '../data-folder.ts';
import { ROOT } from '../paths.ts';

/** The app's settings that a local cloud may choose. */
export interface LocalSettings {
  /** `full`: the imported models that a request names, instead of tiny ones. @default - tiny */
  readonly models?: 'full' | 'tiny';
  /** Seconds without a heartbeat after which a job is looked up. @default - 900, the stack's own default */
  readonly heartbeatSeconds?: number;
  /** Longest wait before a stage is retried. @default - 5, because nothing here recovers by waiting */
  readonly retrySeconds?: number;
}

/**
 * Synthesizes the app. @returns the assembly's folder
 *
 * @throws ProxytuneError `LocalCloudFailed` with the end of the app's output
 */
export async function synthesize(
  dataDir: string,
  { models = 'tiny', heartbeatSeconds, retrySeconds = 5 }: LocalSettings,
  signal?: AbortSignal,
): Promise<string> {
  const assemblyDir = join(dataDir, 'assembly');
  const env = {
    ...process.env,
    PATH: `${dirname(process.execPath)}:${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}`,
    CDK_OUTDIR: assemblyDir,
    TMPDIR: temporaryFolder(dataDir),
    CDK_CONTEXT_JSON: JSON.stringify({
      proxytune: { target: 'local', models, retrySeconds, heartbeatSeconds },
      // Own names for the assets' bucket and the bootstrap version, so that `cdk bootstrap` can create its own.
      '@aws-cdk/core:bootstrapQualifier': 'local',
    }),
    // Skipped to save seconds; the tests validate the template.
    CDK_VALIDATION: 'false',
  };
  try {
    const processOptions = { cwd: ROOT, env, ...(signal && { signal }) };
    await promisify(execFile)(process.execPath, [join(ROOT, 'bin/app.ts')], processOptions);
    return assemblyDir;
  } catch (cause) {
    const { message, stderr } = cause as { message: string; stderr?: string };
    throw new ProxytuneError('LocalCloudFailed', {
      what: 'The stack could not be synthesized',
      given: (stderr || message).trim().split('\n').slice(-8).join('\n'),
      remedy: 'run `npx cdk synth` and check its output',
      cause,
    });
  }
}
