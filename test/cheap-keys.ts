import { keyGenerators } from '../src/capabilities/oidc/keys/signing-keys.ts';

/** More than any server makes: after a rotation it has another key. */
const different = 4;

const made: ReturnType<typeof keyGenerators.RS256>[] = [];
let next = 0;
const { RS256 } = keyGenerators;
// To make an RSA key takes longer than most tests, so that the servers of this process share some.
keyGenerators.RS256 = () => {
  const place = next++ % different;
  made[place] ??= RS256();
  return made[place];
};
