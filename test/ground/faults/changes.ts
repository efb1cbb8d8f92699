import assert from 'node:assert/strict';
import * as clients from '../../clusters/clients.ts';

export const oldPassword = 'a password from before the kill';
const newPassword = 'a password that was just chosen';

const subjects = {
  signUp: 'Finish your account',
  reset: 'Choose a new password',
  confirm: 'Confirm your new address',
  passwordChanged: 'Your password was changed',
  addressChanged: 'Your address was changed',
};

/** What changes are made with. */
interface Place {
  /** Undefined if the server dies before it answers. */
  readonly ask: clients.Ask;
  /** While no one kills the server. */
  readonly insist: (...how: Parameters<clients.Ask>) => Promise<clients.Answer>;
  readonly clientId: string;
  /** The cookie of an administrator. */
  administrator(): Promise<string>;
  /** An account that no other change has touched, with the old password. */
  nextAccount(): string;
  nextAddress(): string;
  /** Waits for a mail, and gives the token of its link, if it has one. */
  receive(address: string, subject: string): Promise<string>;
  /** Whether sessions that began just before the kill may be gone. */
  readonly losesSessions: boolean;
}

/** A request that is under way when the server dies. */
interface Change {
  /** The status of an answer that acknowledges it. */
  readonly status: number;
  /** What finds its event in the audit, once it is acknowledged. */
  readonly event?:
    | { readonly kind: string; readonly user: string }
    | { readonly kind: string; readonly user_id: string };
  send(): Promise<clients.Answer | undefined>;
  /** Expects that it holds if there is an answer, and otherwise either all of it or nothing. */
  check(answer: clients.Answer | undefined): Promise<void>;
}

/** The changes, by their names. Each prepares its own account. */
export const createChanges = (place: Place): Readonly<Record<string, () => Promise<Change>>> => {
  const { ask, insist, clientId, administrator, nextAccount, nextAddress, receive, losesSessions } = place;

  const mayLogIn = async (username: string, password: string) =>
    clients.isSuccess(await clients.logIn(insist, { username, password }));
  const isSignedIn = async (cookie: string) => clients.isSuccess(await insist('/api/me', { cookie }));
  const counts = async (token: string) => clients.isSuccess(await insist('/api/me', { token }));

  async function begin(username = nextAccount()) {
    const answer = await clients.logIn(insist, { username, password: oldPassword });
    return { username, cookie: clients.cookieOf(answer) ?? assert.fail(`the login of ${username} is refused`) };
  }

  async function post(path: string, fields: Readonly<Record<string, string>>, status: number, cookie?: string) {
    const answer = await insist(path, { cookie, fields });
    assert.equal(answer.status, status, `${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** A session, and the code that an application got in it. */
  async function beginAtApplication() {
    const session = await begin();
    const verifier = 'a verifier of at least forty-three characters'.replaceAll(' ', '-');
    const fields = await clients.askForCode(insist, clientId, session.cookie, verifier);
    return { ...session, fields: fields ?? assert.fail('the application gets no code') };
  }

  async function signInToApplication() {
    const { fields, ...session } = await beginAtApplication();
    return { ...session, ...tokensOf(await insist('/oidc/token', { fields })) };
  }

  const mayRefresh = async (token: string) => clients.isSuccess(await clients.refresh(insist, clientId, token));
  const isActive = async (token: string) => clients.isSuccess(await insist('/oidc/userinfo', { token }));

  /** Makes what gives no tokens any more. */
  const revocation = (prepare: () => Promise<Pick<Change, 'event' | 'send'> & Tokens>) => async (): Promise<Change> => {
    const { refreshToken, accessToken, ...rest } = await prepare();
    return {
      ...rest,
      status: 200,
      async check(answer) {
        if (answer === undefined) return;
        assert.equal(await isActive(accessToken), false);
        if (refreshToken !== '') assert.equal(await mayRefresh(refreshToken), false);
      },
    };
  };

  const revoke = (token: string) => ask('/oidc/revocation', { fields: { token, client_id: clientId } });

  /** A link by mail. The mail arrives if the request was acknowledged. */
  const mailed = (path: string, subject: string, next: () => string) => async (): Promise<Change> => {
    const email = next();
    return {
      status: 202,
      send: () => ask(path, { fields: { email } }),
      check: async (answer) => void (answer && (await receive(email, subject))),
    };
  };

  /** A token is used once: afterwards the link has expired. */
  const use = async (path: string, token: string, password: string) =>
    (await insist(path, { fields: { token, password, first_name: 'Ann', last_name: 'Archer' } })).status;

  async function idOf(username: string): Promise<string> {
    const { body } = await insist(`/api/admin/users?q=${username}`, { cookie: await administrator() });
    const [user] = body.users as { id: string }[];
    return user?.id ?? assert.fail(`${username} is missing`);
  }

  async function changeByAdministrator(username: string, action: string, fields: Readonly<Record<string, string>>) {
    const path = `/api/admin/users/${await idOf(username)}`;
    const cookie = await administrator();
    return { path, send: () => ask(`${path}/${action}`, { cookie, fields }) };
  }

  return {
    async logIn() {
      const username = nextAccount();
      return {
        status: 200,
        event: { kind: 'login-succeeded', user: username },
        send: () => clients.logIn(ask, { username, password: oldPassword }),
        async check(answer) {
          const cookie = clients.cookieOf(answer);
          if (cookie !== undefined && !losesSessions) assert.ok(await isSignedIn(cookie));
        },
      };
    },

    async failToLogIn() {
      const username = nextAccount();
      return {
        status: 400,
        event: { kind: 'login-failed', user: username },
        send: () => clients.logIn(ask, { username, password: newPassword }),
        check: async () => {},
      };
    },

    async logOut() {
      const { username, cookie } = await begin();
      return {
        status: 200,
        event: { kind: 'logged-out', user: username },
        send: () => ask('/api/logout', { cookie, fields: {} }),
        check: async (answer) => void (answer && assert.equal(await isSignedIn(cookie), false)),
      };
    },

    async endOtherSessions() {
      const { username, cookie } = await begin();
      const other = await begin(username);
      return {
        status: 200,
        event: { kind: 'sessions-ended', user: username },
        send: () => ask('/api/account/sessions/end-others', { cookie, fields: {} }),
        async check(answer) {
          const isEnded = !(await isSignedIn(other.cookie));
          const renewed = clients.cookieOf(answer);
          if (answer) assert.ok(isEnded);
          if (renewed !== undefined && !losesSessions) assert.ok(await isSignedIn(renewed));
          if (!isEnded) assert.ok(await isSignedIn(cookie));
        },
      };
    },

    async changePassword() {
      const { username, cookie } = await begin();
      const other = await begin(username);
      const fields = { current_password: oldPassword, new_password: newPassword };
      return {
        status: 200,
        event: { kind: 'password-changed', user: username },
        send: () => ask('/api/account/password', { cookie, fields }),
        async check(answer) {
          const isChanged = await mayLogIn(username, newPassword);
          if (answer) assert.ok(isChanged);
          assert.equal(await mayLogIn(username, oldPassword), !isChanged);
          assert.equal(await isSignedIn(other.cookie), !isChanged);
          const renewed = clients.cookieOf(answer);
          if (renewed !== undefined && !losesSessions) assert.ok(await isSignedIn(renewed));
          if (isChanged) await receive(username, subjects.passwordChanged);
        },
      };
    },

    async resetPassword() {
      const { username, cookie } = await begin();
      await post('/api/forgot-password', { email: username }, 202);
      const token = await receive(username, subjects.reset);
      const path = '/api/reset-password';
      return {
        status: 200,
        event: { kind: 'password-reset', user: username },
        send: () => ask(path, { fields: { token, password: newPassword } }),
        async check(answer) {
          const isReset = await mayLogIn(username, newPassword);
          if (answer) assert.ok(isReset);
          assert.equal(await mayLogIn(username, oldPassword), !isReset);
          assert.equal(await isSignedIn(cookie), !isReset);
          assert.equal(await use(path, token, newPassword), isReset ? 410 : 200);
          assert.equal(await use(path, token, oldPassword), 410);
          await receive(username, subjects.passwordChanged);
        },
      };
    },

    async signUp() {
      const [email, path] = [nextAddress(), '/api/sign-up/finish'];
      await post('/api/sign-up', { email }, 202);
      const token = await receive(email, subjects.signUp);
      const fields = { token, first_name: 'Ann', last_name: 'Archer', password: newPassword };
      return {
        status: 201,
        event: { kind: 'signed-up', user: email },
        send: () => ask(path, { fields }),
        async check(answer) {
          const isMade = await mayLogIn(email, newPassword);
          if (answer) assert.ok(isMade);
          assert.equal(await use(path, token, newPassword), isMade ? 410 : 201);
          assert.ok(await mayLogIn(email, newPassword));
        },
      };
    },

    async confirmAddress() {
      const [{ username, cookie }, email, path] = [await begin(), nextAddress(), '/api/confirm-email'];
      await post('/api/account/email', { email }, 202, cookie);
      const token = await receive(email, subjects.confirm);
      return {
        status: 200,
        event: { kind: 'email-changed', user: email },
        send: () => ask(path, { fields: { token } }),
        async check(answer) {
          const isMoved = await mayLogIn(email, oldPassword);
          if (answer) assert.ok(isMoved);
          assert.equal(await mayLogIn(username, oldPassword), !isMoved);
          assert.equal((await insist(path, { fields: { token } })).status, isMoved ? 410 : 200);
          for (const told of [username, email]) await receive(told, subjects.addressChanged);
        },
      };
    },

    askToSignUp: mailed('/api/sign-up', subjects.signUp, nextAddress),
    askAgainToSignUp: mailed('/api/sign-up', subjects.signUp, nextAddress),
    askForReset: mailed('/api/forgot-password', subjects.reset, nextAccount),

    async makeToken() {
      const { username, cookie } = await begin();
      return {
        status: 201,
        event: { kind: 'token-made', user: username },
        send: () => ask('/api/account/tokens', { cookie, fields: newToken }),
        check: async (answer) => void (answer && assert.ok(await counts(String(answer.body.token)))),
      };
    },

    async endToken() {
      const { username, cookie } = await begin();
      const { id, token } = await post('/api/account/tokens', newToken, 201, cookie);
      return {
        status: 200,
        event: { kind: 'token-ended', user: username },
        send: () => ask('/api/account/tokens/end', { cookie, fields: { id: String(id) } }),
        check: async (answer) => void (answer && assert.equal(await counts(String(token)), false)),
      };
    },

    async signInToApplication() {
      const { username, fields } = await beginAtApplication();
      const redeem = () => insist('/oidc/token', { fields });
      return {
        status: 200,
        event: { kind: 'application-signed-in', user: username },
        send: () => ask('/oidc/token', { fields }),
        async check(answer) {
          const given = answer ?? (await redeem());
          if (clients.isSuccess(given)) {
            const { accessToken, refreshToken } = tokensOf(given);
            assert.ok(await isActive(accessToken));
            assert.ok(await mayRefresh(refreshToken));
          }
          assert.equal((await redeem()).status, 400);
        },
      };
    },

    async refresh() {
      const { refreshToken } = await signInToApplication();
      const refreshed = () => clients.refresh(insist, clientId, refreshToken);
      return {
        status: 200,
        send: () => clients.refresh(ask, clientId, refreshToken),
        async check(answer) {
          const given = answer ?? (await refreshed());
          if (clients.isSuccess(given)) {
            const { accessToken, refreshToken: successor } = tokensOf(given);
            assert.ok(await isActive(accessToken));
            assert.ok(await mayRefresh(successor));
          }
          // Its successor was used, so there is no time in which it still counts.
          assert.equal(clients.isSuccess(await refreshed()), false);
        },
      };
    },

    revokeRefreshToken: revocation(async () => {
      const { accessToken, refreshToken } = await signInToApplication();
      return { accessToken, refreshToken, send: () => revoke(refreshToken) };
    }),

    revokeAccessToken: revocation(async () => {
      const { accessToken } = await signInToApplication();
      return { accessToken, refreshToken: '', send: () => revoke(accessToken) };
    }),

    revokeGrant: revocation(async () => {
      const { username, cookie, ...tokens } = await signInToApplication();
      const send = () => ask('/api/account/applications/revoke', { cookie, fields: { client_id: clientId } });
      return { ...tokens, event: { kind: 'application-revoked', user: username }, send };
    }),

    async changeGroups() {
      const username = nextAccount();
      const { path, send } = await changeByAdministrator(username, 'groups', { groups: 'staff' });
      return {
        status: 200,
        event: { kind: 'user-groups-changed', user: username },
        send,
        async check(answer) {
          if (answer === undefined) return;
          const { body } = await insist(path, { cookie: await administrator() });
          assert.deepEqual(body.groups, ['staff']);
        },
      };
    },

    async disable() {
      const { username, cookie } = await begin();
      return {
        status: 200,
        event: { kind: 'user-disabled', user: username },
        send: (await changeByAdministrator(username, 'disable', {})).send,
        async check(answer) {
          const isEnabled = await mayLogIn(username, oldPassword);
          if (answer) assert.equal(isEnabled, false);
          assert.equal(await isSignedIn(cookie), isEnabled);
        },
      };
    },

    async deleteAccount() {
      const { username, cookie } = await begin();
      return {
        status: 200,
        event: { kind: 'account-deleted', user_id: await idOf(username) },
        send: () => ask('/api/account/delete', { cookie, fields: { current_password: oldPassword } }),
        async check(answer) {
          const isThere = await mayLogIn(username, oldPassword);
          if (answer) assert.equal(isThere, false);
          assert.equal(await isSignedIn(cookie), isThere);
        },
      };
    },
  };
};

const newToken = { name: 'Report', scope: '', expires_in_days: '1' };

interface Tokens {
  readonly accessToken: string;
  /** Empty if it is not looked at. */
  readonly refreshToken: string;
}

function tokensOf({ status, body }: clients.Answer): Tokens {
  assert.equal(status, 200, JSON.stringify(body));
  return { accessToken: String(body.access_token), refreshToken: String(body.refresh_token) };
}
