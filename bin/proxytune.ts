#!/usr/bin/env node
import { runProcess } from '../lib/cli/process.ts';

process.exitCode = await runProcess(process.argv.slice(2));
