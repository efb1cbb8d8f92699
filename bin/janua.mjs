#!/usr/bin/env node
// The `janua` command: starts src/cli.ts on the project's own Node.
import { fileURLToPath } from 'node:url';
import { runOnOwnNode } from './own-node.mjs';

const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
runOnOwnNode([cli, ...process.argv.slice(2)]);
