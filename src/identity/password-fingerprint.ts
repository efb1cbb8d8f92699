import { hash } from 'node:crypto';

/**
 * Tells whether a stored password is still the same one, without being it. Each session carries the fingerprint of the
 * password that it was started with, and ends when the stored one has become another, whoever changed it (ASVS 7.4.3).
 */
export const passwordFingerprint = (passwordHash: string): string => hash('sha256', passwordHash, 'base64url');
