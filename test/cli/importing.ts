/** Importing folders into the emulator's bucket, for tests that look at what was sent. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AwsContext } from '../../lib/aws/context.ts';
import { importFolder } from '../../lib/cli/import/from-folder.ts';
import type { Output } from '../../lib/cli/output.ts';
import { model } from '../../lib/core/catalogue/models.ts';
import { sdxlFiles, write } from '../aws/model-folders.ts';
import { Bench } from '../lambdas/bench.ts';
import { contextOf } from './context.ts';

export class Imports {
  readonly bench: Bench;
  readonly aws: AwsContext;
  readonly data = realpathSync(mkdtempSync(join(tmpdir(), 'proxytune-import-')));
  /** Commands that went to the bucket since the last look, as `PutObject unet/config.json`. */
  sent: string[] = [];
  readonly said: string[] = [];
  readonly output: Output = {
    json: false,
    terminal: false,
    debug: false,
    say: (line) => this.said.push(line),
    data: () => {},
    write: () => {},
  };

  static async start(): Promise<Imports> {
    return new Imports(await Bench.start());
  }

  private constructor(bench: Bench) {
    this.bench = bench;
    this.aws = contextOf(bench);
    this.aws.s3.middlewareStack.add((next, { commandName }) => async (args) => {
      const { Key = '', PartNumber } = args.input as { Key?: string; PartNumber?: number };
      const name = `${commandName?.replace('Command', '')} ${Key.replace(/^models\/[^/]+\//, '')}`;
      this.sent.push(PartNumber === undefined ? name : `${name} ${PartNumber}`);
      return next(args);
    });
  }

  async close(): Promise<void> {
    this.aws.close();
    await this.bench.close();
    rmSync(this.data, { recursive: true, force: true });
  }

  folderOf(name: string, files: Readonly<Record<string, string | Buffer>> = sdxlFiles()): string {
    const folder = join(this.data, name);
    rmSync(folder, { recursive: true, force: true });
    write(folder, files);
    return folder;
  }

  bring(
    folder: string,
    { link = false, signal = new AbortController().signal, id = 'sdxl', output = this.output } = {},
  ) {
    return importFolder(this.aws, model(id), folder, { link, output, signal });
  }

  writes(): string[] {
    return this.sent.filter((name) => /^(Put|Upload|Create|Complete)/.test(name));
  }

  /**
   * Does something just before a command goes to the bucket for the first time.
   * @returns takes it back, and says whether it was done
   */
  before(command: string, ending: string, act: () => Promise<unknown>): () => boolean {
    let met = false;
    const name = 'another import';
    this.aws.s3.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const { Key = '' } = args.input as { Key?: string };
          if (!met && commandName === `${command}Command` && Key.endsWith(ending)) {
            met = true;
            await act();
          }
          return next(args);
        },
      { name, step: 'initialize' },
    );
    return () => {
      this.aws.s3.middlewareStack.remove(name);
      return met;
    };
  }
}
