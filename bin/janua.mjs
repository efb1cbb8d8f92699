#!/usr/bin/env node
// The `janua` command: starts src/cli.ts of a checkout on the project's own Node, or src/cli.js of the package on yours.
import { fileURLToPath } from 'node:url';
import { isCheckout, runOnOwnNode } from './own-node.mjs';

if (process.argv[2] === 'health') await import('./health.mjs');
else {
  const cli = fileURLToPath(new URL(`../src/cli.${isCheckout ? 'ts' : 'js'}`, import.meta.url));
  runOnOwnNode([cli, ...process.argv.slice(2)], { serves: ['serve', 'demo'].includes(process.argv[2]) });
}
