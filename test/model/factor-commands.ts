import fc from 'fast-check';
import { type BodyFace, bodyFaces, loginFaces } from '../web/faces.ts';
import { carryOutBoth } from './agreement.ts';
import {
  type ChosenCode,
  type ChosenRequest,
  client,
  code,
  codeOf,
  createCommand,
  index,
  type ModelCommand,
  ownerOf,
  passSeconds,
  person,
  pick,
  requestBy,
  senderOf,
  shown,
  signedInSenderOf,
} from './choices.ts';
import {
  changingFactors,
  type FactorChangeName,
  factorChanges,
  finishingLogin,
  removingFactors,
} from './factor-operations.ts';
import { codeAt, hasFactor, stepOf } from './factors.ts';
import type { Model, ModelUser } from './model.ts';
import { confirming, loggingIn, type Operation } from './operations.ts';
import { type ModelServer, passwords } from './server.ts';

const stepFaces = bodyFaces('/auth/second-factor', '/api/second-factor');
const confirmFaces = bodyFaces('/auth/confirm', '/api/confirm');

function facesOf(does: ChosenChange['does']): readonly BodyFace[] {
  if (does === 'confirm') return confirmFaces;
  return bodyFaces(`/account/security/${does}`, `/api/account/security/${does}`);
}

/** The second step of a login. */
interface ChosenStep extends ChosenRequest {
  /** Of all logins that have ever waited, the latest first. Without it, the one of the cookie. */
  readonly login: number | undefined;
  readonly code: ChosenCode;
  readonly trusts: boolean;
  /** Until the app shows another code. */
  readonly waits: boolean;
}

/** What a signed-in user does. */
interface ChosenChange extends ChosenRequest {
  readonly does: FactorChangeName | 'confirm';
  readonly code: ChosenCode;
  /** The user who signs in first. Without it, a client that is signed in acts. */
  readonly user: number | undefined;
  /** Whether a new app was begun just before. */
  readonly begins: boolean;
}

const step: fc.Arbitrary<ChosenStep> = fc
  .tuple(
    requestBy(client),
    fc.record({
      login: fc.oneof(fc.constant(undefined), fc.nat({ max: 1 }), index),
      code,
      trusts: fc.boolean(),
      waits: fc.boolean(),
    }),
  )
  .map(([request, fields]) => ({ ...request, ...fields }));

const change: fc.Arbitrary<ChosenChange> = fc
  .tuple(
    requestBy(client),
    fc.record({
      does: fc.constantFrom(...factorChanges, 'totp' as const, 'confirm' as const),
      code,
      user: fc.option(index, { nil: undefined }),
      begins: fc.boolean(),
    }),
  )
  .map(([request, fields]) => ({ ...request, ...fields }));

function toStep(model: Model, how: ChosenStep): Operation {
  const sender = senderOf(model, how);
  const logins = model.pendingLogins.toReversed();
  const chosen = how.login === undefined || logins.length === 0 ? undefined : pick(logins, how.login);
  const login = chosen ?? logins.find(({ secret }) => secret === sender.client.pending);
  const sent = codeOf(model, how.code, model.factors.get(login?.userId ?? ''));
  const { trusts } = how;
  return finishingLogin(pick(stepFaces, how.face), sender, { token: chosen?.secret, code: sent, trusts });
}

function toChange(model: Model, { does, ...how }: ChosenChange): Operation {
  const sender = signedInSenderOf(model, how);
  const { id = '', password = passwords[0] } = ownerOf(model, sender.presented) ?? {};
  const factors = model.factors.get(id);
  const face = pick(facesOf(does), how.face);
  if (does === 'confirm') return confirming(face, { ...sender, current: password }, codeOf(model, how.code, factors));
  const first = codeAt(factors?.begun?.secret ?? 'A'.repeat(32), stepOf(model.now) + (how.code === 'wrong' ? 9 : 0));
  return changingFactors(does, face, sender, first);
}

/** Logs one of the users in by password. Tells whether the login waits. */
async function begin(model: Model, server: ModelServer, how: ChosenRequest, users: readonly ModelUser[]) {
  const enabled = users.filter(({ disabled }) => !disabled);
  if (enabled.length === 0) return false;
  const { username, password } = pick(enabled, how.face);
  const login = loggingIn(pick(loginFaces, how.face), senderOf(model, how), { username, password, remember: false });
  const [outcome] = await carryOutBoth(model, server, [login]);
  return outcome?.is === 'mfa-required';
}

const withFactor = (model: Model) => model.users.filter(({ id }) => hasFactor(model, id));

async function changeOwn(model: Model, server: ModelServer, how: ChosenChange): Promise<void> {
  if (how.user !== undefined) {
    // Until the app shows another code.
    passSeconds(model, server, 30);
    const step = { ...how, login: 0, code: 'right', trusts: false, waits: false } as const;
    if (await begin(model, server, { ...how, face: how.user }, model.users))
      await carryOutBoth(model, server, [toStep(model, step)]);
  }
  if (how.does === 'totp' && how.begins)
    await carryOutBoth(model, server, [toChange(model, { ...how, does: 'totp/begin' })]);
  await carryOutBoth(model, server, [toChange(model, how)]);
}

/** Sends wrong codes until the throttle answers, and then a right one. */
async function guess(model: Model, server: ModelServer, how: ChosenStep): Promise<void> {
  const send = async (code: ChosenCode, face: number) => {
    const [outcome] = await carryOutBoth(model, server, [toStep(model, { ...how, login: 0, code, face })]);
    return outcome;
  };
  for (let tries = how.face; await begin(model, server, how, withFactor(model)); tries += 1) {
    let outcome = await send('wrong', tries);
    while (outcome?.is === 'invalid-factor') outcome = await send('wrong', tries);
    if (outcome?.is !== 'too-many-codes') continue;
    await send('right', tries);
    passSeconds(model, server, outcome.retryAfterSeconds);
    await send('right', tries);
    return;
  }
}

const described = (how: object) => shown({ ...how, face: undefined });

/** Every kind of step that concerns second factors, with its weight. */
export const factorCommands: readonly (readonly [weight: number, fc.Arbitrary<ModelCommand>])[] = [
  [
    10,
    step.map((how) =>
      createCommand(`second step by ${pick(stepFaces, how.face).name} ${described(how)}`, async (model, server) => {
        if (how.waits) passSeconds(model, server, 30);
        await carryOutBoth(model, server, [toStep(model, how)]);
      }),
    ),
  ],
  [
    8,
    step.map((how) =>
      createCommand(`log in with a factor ${described(how)}`, async (model, server) => {
        if (how.waits) passSeconds(model, server, 30);
        if (await begin(model, server, how, withFactor(model)))
          await carryOutBoth(model, server, [toStep(model, { ...how, login: 0 })]);
      }),
    ),
  ],
  [
    2,
    step.map((how) =>
      createCommand(`one second step twice at once ${described(how)}`, async (model, server) => {
        if (how.waits) passSeconds(model, server, 30);
        await begin(model, server, how, withFactor(model));
        await carryOutBoth(model, server, [toStep(model, how), toStep(model, { ...how, face: how.face + 1 })]);
      }),
    ),
  ],
  [1, step.map((how) => createCommand(`guess codes ${described(how)}`, (model, server) => guess(model, server, how)))],
  [
    12,
    change.map((how) =>
      createCommand(`${how.does} by ${pick(facesOf(how.does), how.face).name} ${described(how)}`, (model, server) =>
        changeOwn(model, server, how),
      ),
    ),
  ],
  [
    1,
    person.map((username) =>
      createCommand(`remove the factors of ${username}`, (model, server) =>
        carryOutBoth(model, server, [removingFactors(username)]),
      ),
    ),
  ],
];
