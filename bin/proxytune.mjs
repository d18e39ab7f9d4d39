#!/usr/bin/env node
// The door for `npx proxytune` and `npm run demo`: any Node from 20 on gets in, and Node 24 does the work.
import { setUpAndCall } from '../lib/setup/call.mjs';

process.exitCode = await setUpAndCall('bin/proxytune.ts', process.argv.slice(2));
