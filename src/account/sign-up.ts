import type { Presented } from '../access/access.ts';
import type { Admit, Admitted } from '../access/admit.ts';
import { InvalidFields } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import { Unavailable } from '../faults/unavailable.ts';
import type { Language } from '../languages/languages.ts';
import type { RequestMail } from '../mail/request-mail.ts';
import type { Passwords } from '../passwords/passwords.ts';
import type { PasswordPolicy } from '../passwords/policy.ts';
import { type Links, linkExpired } from '../tokens/links.ts';
import { emailAddress, personName } from '../users/user.ts';
import type { UserRegistry } from '../users/user-directory.ts';
import type { events } from './events.ts';

export const signUpPath = '/auth/sign-up';

export const signUpExpired = linkExpired(signUpPath);

export interface SignUpOptions {
  readonly registry: UserRegistry;
  readonly links: Links;
  readonly requestMail: RequestMail;
  readonly passwords: Passwords;
  readonly policy: PasswordPolicy;
  readonly admit: Admit;
  readonly audit: Audit<keyof typeof events>;
  /** Domains of the addresses that may sign up, in their canonical form. None means any. */
  readonly domains: readonly (string | undefined)[];
}

/** What the owner of an address enters to finish the sign-up. */
export interface NewAccount {
  readonly token?: string | undefined;
  readonly first_name: string;
  readonly last_name: string;
  readonly password: string;
}

export type SignUp = ReturnType<typeof createSignUp>;

/**
 * Creates accounts for owners of e-mail addresses. The account is created by the link in the mail, so that no account has an unproven
 * address (VM-62), and the request tells nothing about the address (ASVS 6.3.8, VM-23).
 */
export function createSignUp(options: SignUpOptions) {
  const { registry, links, requestMail, passwords, policy, admit, audit, domains } = options;

  const open = async (token: string, caller: Caller) => {
    const { token: found } = await links.open('sign-up', token, signUpExpired, caller);
    return found.address;
  };

  /** Undefined if the owner cannot be signed in now. The account exists all the same. */
  async function admitOwner(id: string, presented: Presented, caller: Caller): Promise<Admitted | undefined> {
    try {
      const account = await registry.findById(id);
      const proof = account && { account, methods: ['pwd'] as const, stillHolds: async () => false };
      return proof && (await admit(proof, { presented, caller, event: {} }));
    } catch (error) {
      if (error instanceof Unavailable) return undefined;
      throw error;
    }
  }

  return {
    /** Mails a link, or a note that there is an account already. @throws {InvalidFields} */
    async request(email: string, language: Language, caller: Caller): Promise<void> {
      const address = emailAddress(email);
      if (address === undefined) throw new InvalidFields({ field: 'email', code: 'not-an-address' });
      const domain = address.slice(address.indexOf('@') + 1);
      if (domains.length > 0 && !domains.includes(domain))
        throw new InvalidFields({ field: 'email', code: 'wrong-domain', values: { domains: domains.join(', ') } });
      await audit.recordIfPossible({ kind: 'sign-up-requested', caller, nameDigest: audit.digestName(address) });
      await requestMail({ purpose: 'sign-up', address, language }, caller);
    },

    /** Gives the address that the link was sent to. @throws {Refusal} `link-expired` */
    open,

    /**
     * Creates the account and signs its owner in. Undefined if the account was created, and its owner has to log in.
     * @param language the one that the owner has chosen
     * @throws {InvalidFields}; {Refusal} `link-expired`
     */
    async finish(
      entered: NewAccount,
      language: Language | undefined,
      presented: Presented,
      caller: Caller,
    ): Promise<Admitted | undefined> {
      const { token: secret = '', password } = entered;
      const username = await open(secret, caller);
      const [firstName, lastName] = [personName(entered.first_name), personName(entered.last_name)];
      const fault = await policy.findFault(password, {
        username,
        firstName: firstName ?? '',
        lastName: lastName ?? '',
      });
      if (firstName === undefined || lastName === undefined || fault !== undefined)
        throw new InvalidFields(
          ...(firstName === undefined ? [{ field: 'first_name', code: 'malformed' } as const] : []),
          ...(lastName === undefined ? [{ field: 'last_name', code: 'malformed' } as const] : []),
          ...(fault === undefined ? [] : [{ field: 'password', ...fault }]),
        );
      const user = {
        username,
        firstName,
        lastName,
        language,
        passwordHash: await passwords.hash(password),
        demo: false,
      };
      let id = '';
      await links.use({ purpose: 'sign-up', secret, expired: signUpExpired, caller }, async (db) => {
        id = (await registry.add(user, db)) ?? '';
        return id !== '';
      });
      await audit.recordIfPossible({ kind: 'signed-up', caller, userId: id });
      return admitOwner(id, presented, caller);
    },
  };
}
