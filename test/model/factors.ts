import { codeOf } from '../capabilities/second-factor/authenticator-app.ts';
import type { Model, ModelClient, ModelUser, Outcome } from './model.ts';
import { clear, count, factorKeysOf, takeBack, waitOf } from './throttle.ts';

interface ModelApp {
  secret: string;
  /** The time of the last code that was accepted, in steps. No code up to it passes again. */
  lastStep: number;
}

/** What a user has besides the password. */
export interface ModelFactors {
  app: ModelApp | undefined;
  /** The secret of an app that waits for its first code. */
  begun: { secret: string; at: number } | undefined;
  recoveryCodes: string[];
  /** Recovery codes that no longer work. */
  spent: string[];
}

/** A login that waits for a second factor. */
export interface PendingLogin {
  secret: string;
  userId: string;
  stamp: number;
  remembered: boolean;
  /** Codes that were checked. */
  tries: number;
  expiresAt: number;
  isOver: boolean;
}

export interface TrustedBrowser {
  secret: string;
  userId: string;
  stamp: number;
}

/** What a client sends as a second factor. */
export interface SentCode {
  method: 'totp' | 'recovery_code';
  code: string;
}

/** Milliseconds that a login and a new app wait. */
export const waitsFor = 10 * 60_000;

export const mostTries = 5;

export function factorsOf({ factors }: Model, userId: string): ModelFactors {
  const found = factors.get(userId) ?? { app: undefined, begun: undefined, recoveryCodes: [], spent: [] };
  factors.set(userId, found);
  return found;
}

/** Recovery codes alone are no factor. */
export const hasFactor = ({ factors }: Model, userId: string) => factors.get(userId)?.app !== undefined;

/** Whether a password alone is not enough. A browser is trusted until the account changes. */
export const lacksFactor = (model: Model, { id, stamp }: ModelUser, { trusted }: ModelClient) =>
  hasFactor(model, id) &&
  !model.trustedBrowsers.some((each) => each.secret === trusted && each.userId === id && each.stamp === stamp);

/** @param secret from the server, if it made one */
export function startPending(
  model: Model,
  { id: userId, stamp }: ModelUser,
  remembered: boolean,
  secret = '(none was given)',
): Outcome {
  const times = { expiresAt: model.now + waitsFor, tries: 0, isOver: false };
  model.pendingLogins.push({ secret, userId, stamp, remembered, ...times });
  const { recoveryCodes } = factorsOf(model, userId);
  return { is: 'mfa-required', methods: recoveryCodes.length > 0 ? 'totp recovery_code' : 'totp' };
}

/** A login that waits, and its user. */
export function findPending(model: Model, secret: string): { login: PendingLogin; user: ModelUser } | undefined {
  const login = model.pendingLogins.find((each) => each.secret === secret);
  const user = model.users.find(({ id }) => id === login?.userId);
  if (login === undefined || user === undefined || user.disabled || user.stamp !== login.stamp) return undefined;
  const waits = !login.isOver && login.tries < mostTries && model.now < login.expiresAt;
  return waits ? { login, user } : undefined;
}

export const stepOf = (time: number) => Math.floor(time / 30_000);

/** The code of a step that an app shows. */
export const codeAt = (secret: string, step: number) => codeOf(secret, step * 30_000);

/** A clock may be off by one step. Undefined for a wrong code. */
export function findStep(secret: string, code: string, now: number): number | undefined {
  const current = stepOf(now);
  return [current + 1, current, current - 1].find((step) => codeAt(secret, step) === code);
}

/** Counts an attempt, and uses the code up if it is right. Gives the refusal, if it is one. */
export function* attemptCode(
  model: Model,
  userId: string,
  client: ModelClient,
  sent: SentCode,
): Generator<undefined, Outcome | undefined, undefined> {
  const keys = factorKeysOf(userId, client);
  const wait = Math.max(...keys.map((key) => waitOf(model, key)));
  if (wait > 0) return { is: 'too-many-codes', retryAfterSeconds: wait };
  const counted = new Map(keys.map((key) => [key, count(model, key)]));
  yield;
  if (!useUp(model, factorsOf(model, userId), sent)) return { is: 'invalid-factor' };
  yield;
  takeBack(model, counted);
  clear(model, keys);
  return undefined;
}

function useUp({ now }: Model, factors: ModelFactors, { method, code }: SentCode): boolean {
  const { app, recoveryCodes } = factors;
  if (method === 'recovery_code') {
    if (!recoveryCodes.includes(code)) return false;
    factors.recoveryCodes = recoveryCodes.filter((each) => each !== code);
    factors.spent.push(code);
    return true;
  }
  const step = app && findStep(app.secret, code, now);
  if (app === undefined || step === undefined || step <= app.lastStep) return false;
  app.lastStep = step;
  return true;
}
