import fc from 'fast-check';
import { loginFaces, logoutFaces } from '../web/faces.ts';
import { accountCommands } from './account-commands.ts';
import { carryOutBoth, lookFaces } from './agreement.ts';
import {
  type ChosenRequest,
  client,
  createCommand,
  index,
  type ModelCommand,
  passSeconds,
  person,
  pick,
  requestBy,
  senderOf,
  shown,
} from './choices.ts';
import { factorCommands } from './factor-commands.ts';
import { idleEndOf, lifetimeEndOf, type Model } from './model.ts';
import { type Change, changes, changing, loggingIn, loggingOut, looking, type Operation } from './operations.ts';
import { nobody, passwords } from './server.ts';

interface ChosenLogin extends ChosenRequest {
  readonly username: string;
  readonly password: 'right' | 'another' | 'wrong';
  readonly remember: boolean;
}

/** An operation that may run at the same time as another. Its details are resolved when it runs. */
type ChosenOperation =
  | { readonly does: 'log in'; readonly how: ChosenLogin }
  | { readonly does: 'log out' | 'look'; readonly how: ChosenRequest }
  | { readonly does: Change; readonly how: { readonly username: string; readonly password: string } };

type ChosenTime =
  | { readonly seconds: number }
  /** Just before, at, or just after the end of a session. */
  | { readonly untilEnd: 'idle' | 'lifetime'; readonly session: number; readonly seconds: number };

// Random choices

const loginBy = (client: fc.Arbitrary<number>, username: fc.Arbitrary<string>): fc.Arbitrary<ChosenLogin> => {
  const password = fc.oneof(
    { weight: 7, arbitrary: fc.constant('right' as const) },
    { weight: 3, arbitrary: fc.constantFrom('another', 'wrong') },
  );
  return fc
    .tuple(requestBy(client), fc.record({ username, password, remember: fc.boolean() }))
    .map(([request, fields]) => ({ ...request, ...fields }));
};

/** Prefers changes that let users in, so that most users can log in. */
const change = fc.constantFrom(...changes, 'enable' as const, 'add' as const);

function operationBy(client: fc.Arbitrary<number>, username: fc.Arbitrary<string>): fc.Arbitrary<ChosenOperation> {
  const maybeNobody = fc.oneof({ weight: 8, arbitrary: username }, { weight: 1, arbitrary: fc.constant(nobody) });
  const administered = fc.record({ does: change, username, password: fc.constantFrom(...passwords) });
  return fc.oneof(
    { weight: 7, arbitrary: loginBy(client, maybeNobody).map((how) => ({ does: 'log in', how }) as const) },
    { weight: 3, arbitrary: requestBy(client).map((how) => ({ does: 'log out', how }) as const) },
    { weight: 2, arbitrary: requestBy(client).map((how) => ({ does: 'look', how }) as const) },
    { weight: 3, arbitrary: administered.map(({ does, ...how }) => ({ does, how })) },
  );
}

const operation = operationBy(client, person);

/** Two operations, shortened to one if that fails too. They mostly concern the same client and user. */
const operationsAtOnce = fc.oneof(
  { weight: 1, arbitrary: fc.array(operation, { minLength: 1, maxLength: 2, size: 'max' }) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(client, person)
      .chain(([client, person]) =>
        fc.array(operationBy(fc.constant(client), fc.constant(person)), { minLength: 1, maxLength: 2, size: 'max' }),
      ),
  },
);

const time: fc.Arbitrary<ChosenTime> = fc.oneof(
  fc.record({ seconds: fc.constantFrom(1, 10, 59, 60, 179, 180, 900, 1800, 3600) }),
  fc.record({
    untilEnd: fc.constantFrom('idle', 'lifetime'),
    session: index,
    seconds: fc.constantFrom(-1, 0, 1),
  }),
);

// Commands from the choices

/** Runs one operation, or two at once. */
const operate = (operations: readonly ChosenOperation[]) =>
  createCommand(operations.map(describe).join(' AT ONCE WITH '), (model, server) =>
    carryOutBoth(
      model,
      server,
      operations.map((operation) => toOperation(model, operation)),
    ),
  );

function describe({ does, how }: ChosenOperation): string {
  if (does === 'log in') return `log in by ${pick(loginFaces, how.face).name} ${shown({ ...how, face: undefined })}`;
  if (does === 'log out') return `log out by ${pick(logoutFaces, how.face).name} ${shown({ ...how, face: undefined })}`;
  if (does === 'look') return `${pick(lookFaces, how.face).name} ${shown({ ...how, face: undefined })}`;
  return `${does} ${shown(how)}`;
}

function toOperation(model: Model, { does, how }: ChosenOperation): Operation {
  switch (does) {
    case 'log in': {
      const { username, remember } = how;
      const right = model.users.find((user) => user.username === username)?.password ?? passwords[0];
      const another = passwords.find((password) => password !== right) ?? right;
      const password = { right, another, wrong: 'a wrong horse battery' }[how.password];
      return loggingIn(pick(loginFaces, how.face), senderOf(model, how), { username, password, remember });
    }
    case 'log out':
      return loggingOut(pick(logoutFaces, how.face), senderOf(model, how));
    case 'look':
      return looking(pick(lookFaces, how.face), senderOf(model, how));
    default:
      return changing(does, how.username, how.password);
  }
}

const passTime = (how: ChosenTime) =>
  createCommand(`time passes ${shown(how)}`, async (model, server) => {
    if (!('untilEnd' in how)) return passSeconds(model, server, how.seconds);
    if (model.sessions.length === 0) return;
    const session = pick(model.sessions, how.session);
    const end = how.untilEnd === 'idle' ? idleEndOf(session) : lifetimeEndOf(session);
    passSeconds(model, server, (end - model.now) / 1000 + how.seconds);
  });

/** One client stays active for hours, while the sessions of the others become idle. */
const goOn = (how: ChosenRequest, hours: number) =>
  createCommand(`only this one goes on for ${hours} h ${shown(how)}`, async (model, server) => {
    for (let time = 0; time < hours * 3; time++) {
      passSeconds(model, server, 20 * 60);
      await carryOutBoth(model, server, [toOperation(model, { does: 'look', how })]);
    }
  });

/** Guesses by every face in turn until the throttle answers. Then every face has to wait. */
const guess = (how: ChosenLogin) =>
  createCommand(
    `guess until it is too much, then wait ${shown({ ...how, face: undefined, password: undefined })}`,
    async (model, server) => {
      const tryOut = async (face: number, password: ChosenLogin['password']) => {
        const operation = toOperation(model, { does: 'log in', how: { ...how, face, password } });
        const [outcome] = await carryOutBoth(model, server, [operation]);
        return outcome?.is === 'throttled' ? outcome.retryAfterSeconds : 0;
      };
      let wait = 0;
      for (let face = how.face; wait === 0; face++) wait = await tryOut(face, 'wrong');
      for (const face of loginFaces.keys()) await tryOut(face, face % 2 === 0 ? 'right' : 'wrong');
      passSeconds(model, server, wait - 1);
      await tryOut(how.face, 'right');
      passSeconds(model, server, 1);
      await tryOut(how.face + 1, 'right');
    },
  );

const restart = createCommand('restart', (_model, server) => server.restart());
const clean = createCommand('remove what has expired', (_model, server) => server.services.clean());

/** Every kind of step, with its weight. */
const kinds: readonly (readonly [weight: number, fc.Arbitrary<ModelCommand>])[] = [
  [60, operation.map((one) => operate([one]))],
  [16, operationsAtOnce.map(operate)],
  [10, time.map(passTime)],
  [4, fc.tuple(requestBy(client), fc.constantFrom(1, 3)).map(([how, hours]) => goOn(how, hours))],
  [1, loginBy(client, person).map(guess)],
  ...accountCommands,
  ...factorCommands,
  [1, fc.constant(restart)],
  [1, fc.constant(clean)],
];

export const commandArbitraries = (): fc.Arbitrary<ModelCommand>[] =>
  kinds.flatMap(([weight, arbitrary]) => Array<fc.Arbitrary<ModelCommand>>(weight).fill(arbitrary));
