#!/usr/bin/env node
// Runs a script of this project on the project's own Node: `node bin/node.mjs scripts/test.ts`.
import { runOnOwnNode } from './own-node.mjs';

runOnOwnNode(process.argv.slice(2));
