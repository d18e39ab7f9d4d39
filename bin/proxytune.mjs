#!/usr/bin/env node
// Entry point of `npx proxytune` and `npm run demo`: starts on any Node from 20 on and runs the product on Node 24.
import { setUpAndCall } from '../lib/setup/call.mjs';

process.exitCode = await setUpAndCall('bin/proxytune.ts', process.argv.slice(2));
