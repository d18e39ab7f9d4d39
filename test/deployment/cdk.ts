/** Runs the CDK's own command line against a local cloud, with a stand-in for Docker. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');
const cdk = join(root, 'node_modules/.bin/cdk');

export interface CdkOptions {
  /** A folder for the assemblies and the record of Docker's calls. */
  readonly folder: string;
  /** The environment of a local cloud. */
  readonly environment: Readonly<Record<string, string>>;
}

export class Cdk {
  readonly #options: CdkOptions;
  readonly #calls: string;

  constructor(options: CdkOptions) {
    this.#options = options;
    this.#calls = join(options.folder, 'docker-calls');
  }

  /** Runs a command. @returns everything that it printed; @throws Error with that if it fails */
  async run(...args: string[]): Promise<string> {
    const { folder, environment } = this.#options;
    const env = {
      // The app and the stand-in need the modules' Node, which runs TypeScript.
      PATH: `${dirname(cdk)}:${process.env.PATH}`,
      HOME: folder,
      ...environment,
      CDK_DOCKER: join(import.meta.dirname, 'fixtures/docker.ts'),
      DOCKER_CALLS: this.#calls,
      // The check of the template has a test of its own, and needs seconds.
      CDK_VALIDATION: 'false',
    };
    const output = ['--output', join(folder, 'assembly'), '--no-color', '--no-notices'];
    try {
      const { stdout, stderr } = await promisify(execFile)(cdk, [...args, ...output], {
        cwd: root,
        env,
        maxBuffer: 1e8,
      });
      return stdout + stderr;
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`cdk ${args.join(' ')} failed:\n${stdout}${stderr}`);
    }
  }

  /** The calls of Docker since this was last asked. */
  dockerCalls(): string[][] {
    if (!existsSync(this.#calls)) return [];
    const lines = readFileSync(this.#calls, 'utf8').trim().split('\n');
    rmSync(this.#calls);
    return lines.map((line) => JSON.parse(line));
  }
}
