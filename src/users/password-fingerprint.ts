import { hash } from 'node:crypto';
import type { User } from './user.ts';

interface PasswordOwner {
  readonly user: Pick<User, 'username'>;
  readonly passwordHash: string;
}

/**
 * Tells whether a user and their stored password are still the same, without being it. Each session carries the fingerprint of
 * what it was started with, and ends when either has become another, whoever changed it (ASVS 7.4.3): also when an id was given
 * to somebody else.
 */
export const passwordFingerprint = ({ user, passwordHash }: PasswordOwner): string =>
  hash('sha256', `${user.username}\0${passwordHash}`, 'base64url');
