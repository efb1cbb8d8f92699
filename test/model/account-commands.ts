import fc from 'fast-check';
import { type BodyFace, bodyFaces } from '../web/faces.ts';
import { carryOutBoth } from './agreement.ts';
import {
  type ChosenRequest,
  client,
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
import { type LinkPurpose, type Model, publicHalf } from './model.ts';
import {
  type Asking,
  asking,
  changingPassword,
  confirming,
  deleting,
  endingSessions,
  finishing,
  type Operation,
  openingLink,
} from './operations.ts';
import { passwords } from './server.ts';

const faces = {
  confirm: bodyFaces('/auth/confirm', '/api/confirm'),
  password: bodyFaces('/account/password', '/api/account/password'),
  delete: bodyFaces('/account/delete', '/api/account/delete'),
  endSession: bodyFaces('/account/sessions/end', '/api/account/sessions/end'),
  endOthers: bodyFaces('/account/sessions/end-others', '/api/account/sessions/end-others'),
  email: bodyFaces('/account/email', '/api/account/email'),
  'forgot-password': bodyFaces('/auth/forgot-password', '/api/forgot-password'),
  'sign-up': bodyFaces('/auth/sign-up', '/api/sign-up'),
  'reset-password': bodyFaces('/auth/reset-password', '/api/reset-password'),
  'confirm-email': bodyFaces('/auth/confirm-email', '/api/confirm-email'),
  finish: bodyFaces('/auth/sign-up/finish', '/api/sign-up/finish'),
} satisfies Readonly<Record<string, readonly BodyFace[]>>;

/** A change of the account that the client is signed in to. */
interface ChosenChange extends ChosenRequest {
  readonly does: 'confirm' | 'password' | 'delete' | 'endSession' | 'endOthers' | Asking;
  /** By a client that is signed in, if there is one. */
  readonly isSignedIn: boolean;
  readonly current: 'right' | 'wrong' | 'none';
  readonly isWeak: boolean;
  readonly address: string;
  /** Of all that exist. */
  readonly session: number;
  /** Past the limit of one mail a minute. */
  readonly waits: boolean;
}

interface ChosenLink extends ChosenRequest {
  /** The latest first. */
  readonly link: number;
  /** Whether it is one of those that still work, if there is one. Otherwise of all that were ever mailed. */
  readonly works: boolean;
  /** Takes it to the page of another purpose. */
  readonly elsewhere: boolean;
  readonly isWeak: boolean;
}

const isWeak = fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) });

const change: fc.Arbitrary<ChosenChange> = fc
  .tuple(
    requestBy(client),
    fc.record({
      does: fc.constantFrom<ChosenChange['does'][]>(
        ...(['confirm', 'password', 'password', 'delete', 'endSession', 'endOthers', 'email', 'email'] as const),
        ...(['forgot-password', 'forgot-password', 'sign-up', 'sign-up'] as const),
      ),
      current: fc.constantFrom('right', 'right', 'none', 'none', 'wrong'),
      isSignedIn: fc.oneof({ weight: 7, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
      isWeak,
      address: person,
      session: index,
      waits: fc.boolean(),
    }),
  )
  .map(([request, fields]) => ({ ...request, ...fields }));

const link: fc.Arbitrary<ChosenLink> = fc
  .tuple(
    requestBy(client),
    fc.record({
      link: fc.oneof({ weight: 3, arbitrary: fc.nat({ max: 1 }) }, { weight: 1, arbitrary: index }),
      works: fc.oneof({ weight: 2, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
      elsewhere: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
      isWeak,
    }),
  )
  .map(([request, fields]) => ({ ...request, ...fields }));

const other = (password: string) => passwords.find((each) => each !== password) ?? password;

function toChange(model: Model, how: ChosenChange): Operation {
  const { does, address } = how;
  const sender = (how.isSignedIn ? signedInSenderOf : senderOf)(model, how);
  const password = ownerOf(model, sender.presented)?.password ?? passwords[0];
  const current = { right: password, wrong: 'a wrong horse battery', none: undefined }[how.current];
  const own = { ...sender, current };
  const face = pick<BodyFace>(faces[does], how.face);
  switch (does) {
    case 'confirm':
      return confirming(face, { ...sender, current: current ?? 'a wrong horse battery' });
    case 'password':
      return changingPassword(face, own, how.isWeak ? undefined : other(password));
    case 'delete':
      return deleting(face, own);
    case 'endSession': {
      const session = model.sessions.length === 0 ? undefined : pick(model.sessions, how.session);
      return endingSessions(face, sender, session === undefined ? 'M'.repeat(22) : publicHalf(session.cookie));
    }
    case 'endOthers':
      return endingSessions(face, sender, undefined);
    default:
      return asking(does, face, own, address);
  }
}

const purposes: readonly LinkPurpose[] = ['reset-password', 'confirm-email', 'sign-up'];

/** Uses one of the tokens that were mailed, which may be void by now. */
function toUse(model: Model, how: ChosenLink): Operation {
  const mailed = (how.works && model.links.length > 0 ? model.links : model.mailed).toReversed();
  const made = {
    token: 'M'.repeat(43),
    purpose: pick(purposes, how.link),
    address: 'nobody@example.com',
    userId: undefined,
  };
  const { token, purpose, address, userId } = mailed.length === 0 ? made : pick(mailed, how.link);
  const taken = how.elsewhere ? pick(purposes, purposes.indexOf(purpose) + 1) : purpose;
  const owner = model.users.find(({ id }) => id === userId);
  const password = how.isWeak ? undefined : other(owner?.password ?? passwords[1]);
  const sender = senderOf(model, how);
  if (taken === 'sign-up') return finishing(pick(faces.finish, how.face), sender, token, address, password);
  return openingLink(taken, pick<BodyFace>(faces[taken], how.face), sender, token, password);
}

const described = (how: object) => shown({ ...how, face: undefined });

/** Every kind of step that users take with their accounts, with its weight. */
export const accountCommands: readonly (readonly [weight: number, fc.Arbitrary<ModelCommand>])[] = [
  [
    24,
    change.map((how) =>
      createCommand(
        `${how.does} by ${pick<BodyFace>(faces[how.does], how.face).name} ${described(how)}`,
        async (model, server) => {
          if (how.waits) passSeconds(model, server, 61);
          await carryOutBoth(model, server, [toChange(model, how)]);
        },
      ),
    ),
  ],
  [
    12,
    link.map((how) =>
      createCommand(`use a link ${described(how)}`, (model, server) =>
        carryOutBoth(model, server, [toUse(model, how)]),
      ),
    ),
  ],
  [
    2,
    link.map((how) =>
      createCommand(`use a link twice at once ${described(how)}`, (model, server) =>
        carryOutBoth(model, server, [toUse(model, how), toUse(model, { ...how, face: how.face + 1 })]),
      ),
    ),
  ],
];
