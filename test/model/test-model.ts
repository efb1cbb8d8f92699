import assert from 'node:assert/strict';
import { hash, randomInt } from 'node:crypto';
import { relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { isLong } from '../long.ts';
import { missing } from '../servers/missing.ts';
import type { StoreChoice } from '../stores.ts';
import { lookFaces, requireAgreement } from './agreement.ts';
import { clientCount, type ModelCommand } from './choices.ts';
import { commandArbitraries } from './commands.ts';
import type { Model } from './model.ts';
import type { LookFace } from './operations.ts';
import { type ModelServer, startModelServer } from './server.ts';

/** The value of `JANUA_MODEL_REPLAY`, which a failed run prints. It identifies a sequence of commands. */
interface Replay {
  readonly seed: number;
  readonly path: string;
  readonly replayPath: string;
}

const sequencesAtOnce = 5;
const longestSequence = 60;

/** Milliseconds for shortening a failing sequence. It has to be printed before the test times out. */
const shrinkingTime = 3 * 60_000;

/**
 * Runs sequences of commands on a server with these stores, and compares each step with the model, until `commands` are done, or
 * `long` in a long run.
 * `JANUA_MODEL_MINUTES` sets the duration, and `JANUA_MODEL_REPLAY` repeats a failed sequence.
 */
export function testModel(stores: StoreChoice, counts: { readonly commands: number; readonly long: number }): void {
  const commands = isLong ? counts.long : counts.commands;
  const minutes = Number(process.env.JANUA_MODEL_MINUTES ?? 0);
  const replay = process.env.JANUA_MODEL_REPLAY;
  const file = relative(fileURLToPath(new URL('../..', import.meta.url)), process.argv[1] ?? '');
  const title = `users in ${stores.users}, sessions in ${stores.sessions}: every path, format and credential agrees with the model after any commands`;

  test(title, {
    skip: missing(stores.users, stores.sessions),
    timeout: minutes * 60_000 + 10 * 60_000,
  }, async (context) => {
    await using server = await startModelServer(stores);
    let run = 0;
    /** Whether every route is tried after each command. A shortened sequence needs that. */
    let thorough = minutes > 0 || replay !== undefined;

    function* watched(sequence: Iterable<ModelCommand>): Generator<ModelCommand> {
      for (const command of sequence) {
        run += 1;
        yield watch(command, thorough ? lookFaces : someFaces(run));
      }
    }

    async function check(parameters: fc.Parameters<[Iterable<ModelCommand>]>, replayPath?: string): Promise<void> {
      const property = fc.asyncProperty(sequences(replayPath), async (sequence) => {
        try {
          const begun = await begin(server);
          await fc.asyncModelRun(() => begun, watched(sequence));
          await requireAgreement(begun.model, server, lookFaces);
        } catch (error) {
          thorough = true;
          throw error;
        }
      });
      const details = await fc.check(property, parameters);
      if (details.failed)
        throw new assert.AssertionError({
          message: describeFailure(details, file),
        });
    }

    if (replay !== undefined) {
      const { replayPath, ...parameters }: Replay = JSON.parse(replay);
      // Awaited here, because the server ends with this function.
      return await check({ ...parameters, endOnFailure: true }, replayPath);
    }
    const end = performance.now() + minutes * 60_000;
    // Every run of a file takes the same sequences, and each file takes others. A long run takes random ones.
    let seed = minutes > 0 ? randomInt(2 ** 31) : hash('sha256', file, 'buffer').readUInt32BE() >>> 1;
    for (; run < commands || performance.now() < end; seed += 1)
      await check({ seed, numRuns: sequencesAtOnce, interruptAfterTimeLimit: shrinkingTime });
    assert.ok(run >= commands);
    context.diagnostic(`${run} commands`);
  });
}

const sequences = (replayPath?: string) =>
  fc.commands(commandArbitraries(), {
    maxCommands: longestSequence,
    size: 'max',
    ...(replayPath !== undefined && { replayPath }),
  });

async function begin(server: ModelServer): Promise<{ model: Model; real: ModelServer }> {
  const { users, factors } = await server.begin();
  const clients = Array.from({ length: clientCount }, (_, number) => ({
    address: `192.0.2.${number + 1}`,
    cookie: undefined,
    accessToken: undefined,
    browserCookie: undefined,
    browserOf: [],
    pending: undefined,
    trusted: undefined,
  }));
  const model: Model = {
    now: server.now(),
    users,
    sessions: [],
    clients,
    given: [],
    failures: new Map(),
    factors,
    pendingLogins: [],
    trustedBrowsers: [],
    links: [],
    mailed: [],
    asked: [],
  };
  return { model, real: server };
}

const watch = (command: ModelCommand, faces: readonly LookFace[]): ModelCommand => ({
  check: (model) => command.check(model),
  async run(model, server) {
    await command.run(model, server);
    await requireAgreement(model, server, faces);
  },
  toString: () => command.toString(),
});

/** A third of the faces, different ones in each turn. Each third has a page and a JSON route. */
const someFaces = (turn: number) => lookFaces.filter((_, index) => index % 3 === turn % 3);

/** Describes the shortest failing sequence, its fault, and the command that repeats it. */
function describeFailure(
  { seed, counterexamplePath, counterexample, errorInstance, numShrinks }: fc.RunDetails<[Iterable<ModelCommand>]>,
  file: string,
): string {
  const [sequence] = counterexample ?? [];
  const [, commands = '', replayPath = ''] = /^(.*?)(?: \/\*replayPath="(.*)"\*\/)?$/s.exec(String(sequence)) ?? [];
  const replay: Replay = { seed, path: counterexamplePath ?? '', replayPath };
  const reason =
    errorInstance instanceof Error ? (errorInstance.stack ?? errorInstance.message) : String(errorInstance);
  return [
    `After ${numShrinks} times of making it shorter:${commands}`,
    reason,
    `To repeat it: JANUA_MODEL_REPLAY='${JSON.stringify(replay)}' node bin/node.mjs --test ${file}`,
  ].join('\n');
}
