/**
 * The command line: its commands, and how errors become messages and exit codes.
 *
 * Exit codes follow one rule. 2 is for an invalid command line: an unknown command or option, a missing argument, a path
 * that does not exist, an unknown run. 3 is for a request that is refused before it costs anything: a field of the
 * request, whether by flag, by --set or in subject.json, photos, models, licences, a price.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ProxytuneError } from '../core/errors.ts';
import { check } from './commands/check.ts';
import { type CompareOptions, compareCommand } from './commands/compare.ts';
import { demoCommand } from './commands/demo.ts';
import { type GenerateOptions, generateCommand } from './commands/generate.ts';
import { type ImportOptions, importModelCommand } from './commands/import-model.ts';
import { localCommand } from './commands/local.ts';
import { planCommand } from './commands/plan.ts';
import { chooseReported, fetchReport } from './commands/report.ts';
import { runCommand } from './commands/run.ts';
import { runDreamBooth } from './commands/run-dreambooth.ts';
import { statusCommand } from './commands/status.ts';
import { chooseDreamBooth } from './dreambooth.ts';
import { addFields, type FieldFlags, fieldsOf, numberOrText, oneOf } from './flags.ts';
import { makeOutput, type Output, printError } from './output.ts';
import { type CloudOptions, DEFAULT_DATA, dataFolder, withContext } from './session.ts';
import { writeSingleFile } from './single-file.ts';
import { captionSubjectOf, photosFolder } from './subject.ts';
import { VERSION } from './version.ts';

interface Common extends CloudOptions {
  readonly local?: boolean;
  readonly json?: boolean;
  readonly debug?: boolean;
}

const USAGE = 2;

/**
 * Runs a command line.
 * @param argv - without `node` and the script
 * @returns the exit code: 0 done, 1 failed, 2 usage, 3 refused before money was spent, 130 interrupted
 */
export async function main(argv: readonly string[]): Promise<number> {
  let code = 0;
  const program = makeProgram((result) => {
    code = result;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    return printError(error, { json: argv.includes('--json'), debug: argv.includes('--debug') });
  }
}

function makeProgram(done: (code: number) => void): Command {
  const program = new Command('proxytune')
    .description(
      'Tunes an autoregressive image model on five photos, by proxies that a diffusion teacher draws.',
    )
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(npx proxytune --help lists the commands)')
    .showSuggestionAfterError();
  const command = (usage: string, text: string): Command =>
    program
      .command(usage)
      .description(text)
      .option('--json', 'print data instead of text')
      .option('--debug', 'show stack traces');
  const cloud = (usage: string, text: string): Command =>
    command(usage, text)
      .option('--data <dir>', 'folder of the cloud on this machine', DEFAULT_DATA)
      .addOption(
        new Option('--heartbeat-seconds <n>', 'check on a silent job after this many seconds')
          .argParser(positive)
          .hideHelp(),
      );
  const act =
    (run: (output: Output, options: Common, args: string[]) => Promise<number> | number) =>
    async (...given: unknown[]): Promise<void> => {
      const options = (given.at(-1) as Command).opts<Common>();
      const args = given.slice(0, -2) as string[];
      done(await run(makeOutput(options), options, args));
    };

  command('check <dir>', 'inspect photos and captions as a run would, and print what to do about each')
    .option('--category <words>', 'what the subject is, for the captions (default: as in subject.json)')
    .action(
      act((output, options: CheckFlags, [dir = '']) =>
        check(photosFolder(dir), {
          json: output.json,
          subject: captionSubjectOf(dir, options.category),
        }),
      ),
    );
  addPlan(command, act);
  addRun(cloud, act);
  inAccount(cloud('status [run]', 'list all runs, or show the stages of one')).action(
    act((output, options, [run]) => statusCommand(run, options, output)),
  );
  inAccount(
    cloud('report [run]', 'fetch the report of a run to this disk (default: the newest that has one)').option(
      '--single-file',
      'write it as one file with its images inside, for sending',
    ),
  ).action(act((output, options: ReportOptions, [run]) => reportCommand(run, options, output)));
  inAccount(
    cloud('compare [runs...]', 'put finished runs in one table and on one page, with images by prompt'),
  )
    .option('--out <dir>', 'folder for the page (default: in the data folder)')
    .action(
      act((output, options: CompareOptions, [runs]) =>
        compareCommand(runs as unknown as string[], options, output),
      ),
    );
  addGenerate(cloud, act);
  addImport(cloud, act);
  cloud('local', 'start the local cloud and print how to connect to it')
    .addOption(fullSize())
    .action(act((output, options) => localCommand(options, output)));
  cloud('demo', 'run the method on a drawn subject, with small models that come with Proxytune').action(
    act((output, options) => demoCommand(options, output)),
  );
  return program;
}

type Act = (
  run: (output: Output, options: Common, args: string[]) => Promise<number> | number,
) => (...given: unknown[]) => Promise<void>;

interface CheckFlags extends Common {
  readonly category?: string;
}

interface ReportOptions extends Common {
  readonly singleFile?: boolean;
}

interface RunFlags extends Common, FieldFlags {
  readonly subject?: string;
  readonly resume?: string;
  readonly dreambooth?: string;
}

function addPlan(command: (usage: string, text: string) => Command, act: Act): void {
  addFields(
    command(
      'plan [path]',
      'print what a run would do, how long it takes and what it costs; path is subject.json or its folder',
    ).option('--local', 'plan for the tiny models that run on this machine'),
  )
    .addOption(dreambooth())
    .option('--subject <name>', 'the subject of the dataset')
    .action(
      act((output, options: RunFlags, [path]) => {
        const fields = fieldsOf(options);
        if (options.dreambooth === undefined)
          return planCommand(requirePath(path), { ...options, fields }, output);
        const chosen = chooseDreamBooth(options.dreambooth, options.subject);
        return planCommand(
          chosen.folder,
          { ...options, fields: { category: chosen.category, ...fields } },
          output,
        );
      }),
    );
}

/** @throws UsageInvalid */
function requirePath(path: string | undefined): string {
  if (path !== undefined) return path;
  throw new ProxytuneError('UsageInvalid', {
    what: 'The path of a request is needed',
    allowed: 'npx proxytune plan DIR --category dog, or --dreambooth DIR --subject dog6',
    remedy: 'name the folder of photos, or its subject.json',
  });
}

function dreambooth(): Option {
  return new Option(
    '--dreambooth <dir>',
    "take the photos, class and prompts of --subject from your copy of DreamBooth's dataset",
  );
}

function addRun(cloud: (usage: string, text: string) => Command, act: Act): void {
  addFields(
    cloud('run [dir]', 'tune on a folder of photos; prints the path of the report').option(
      '--local',
      'run on this machine (in an AWS account an upload starts a run)',
    ),
  )
    .addOption(fullSize())
    .addOption(dreambooth())
    .option(
      '--subject <name>',
      "name of the subject (the folder's by default; with --dreambooth, one of it or all)",
    )
    .option('--resume <run>', 'resume a stopped run')
    .action(
      act((output, options: RunFlags, [dir]) => {
        const { dreambooth, ...rest } = options;
        const asked = { ...rest, fields: fieldsOf(options) };
        return dreambooth === undefined
          ? runCommand(dir, asked, output)
          : runDreamBooth(dir, { ...asked, dreambooth }, output);
      }),
    );
}

/** Full-size models on one machine need a GPU, and must have been imported. */
function fullSize(): Option {
  return new Option(
    '--full-size',
    'use the full-size models, imported by import-model, instead of tiny stand-ins',
  );
}

/** A command for the local cloud, or for the stack that --stack names. */
function inAccount(command: Command): Command {
  return command.option('--stack <name>', 'a stack in the AWS account of your AWS settings');
}

function addGenerate(cloud: (usage: string, text: string) => Command, act: Act): void {
  inAccount(
    cloud(
      'generate <run> <prompt>',
      'generate images of your own prompt with the model that a run tuned; {token} stands for the subject',
    ),
  )
    .option('-n, --number <n>', 'number of images, 1 to 64 (default: 4)', numberOrText)
    .addOption(oneOf('--of <model>', 'the model that generates (default: student)', ['student', 'teacher']))
    .option(
      '--seed <n>',
      "seed of the first image, the others count up; the same seed gives the same image (default: the run's)",
      numberOrText,
    )
    .option('--out <dir>', 'folder for the images (default: in the data folder)')
    .option('--local', 'on this machine (the default)')
    .option('--max-usd <n>', "refuse a higher price (default: the limit of the run's request)", numberOrText)
    .action(
      act((output, options: GenerateOptions, [run = '', prompt = '']) =>
        generateCommand(run, prompt, options, output),
      ),
    );
}

function addImport(cloud: (usage: string, text: string) => Command, act: Act): void {
  inAccount(cloud('import-model <model>', 'import a base model, check it, and print what its licence allows'))
    .option(
      '--from <folder>',
      'a folder on this disk: linked here, uploaded to an account (default: the Hugging Face hub)',
    )
    .option('--revision <commit>', "commit, branch or tag of the hub (default: the catalogue's)")
    .option('--accept-licence', "you have read the model's licence and comply with it")
    .option('--local', 'for the cloud on this machine (the default)')
    .action(act((output, options: ImportOptions, [id = '']) => importModelCommand(id, options, output)));
}

async function reportCommand(
  named: string | undefined,
  options: ReportOptions,
  output: Output,
): Promise<number> {
  return withContext(options, output, async (aws) => {
    const runId = await chooseReported(aws, named);
    const { page: fetched, metrics } = await fetchReport(aws, runId, dataFolder(options));
    const page = options.singleFile === true ? await writeSingleFile(fetched, runId) : fetched;
    output.say(metrics.verdict);
    output.data({ runId, report: page });
    output.say(page);
    return 0;
  });
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('must be a number above 0');
  return value;
}
