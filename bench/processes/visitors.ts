// Simulates visitors from its own process.
import { setTimeout } from 'node:timers/promises';
import { getRequest, loginRequest, postRequest } from '../requests.ts';
import { offer } from './child.ts';
import { type Answer, type Connection, openConnection } from './connection.ts';

export interface Visits {
  readonly port: number;
  readonly usernames: readonly string[];
  readonly password: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** Number of the first visit. The number determines the address of a visit. */
  readonly first: number;
}

/** Number of responses by status. */
export type Statuses = Readonly<Record<string, number>>;

export type VisitorsTasks = {
  /** Starts visits at a fixed rate. Each has its own connection and, in X-Forwarded-For, its own address. */
  visit(visits: Visits): Promise<Statuses>;
};

/** Every 4th visitor first tries a wrong password and an unknown name. Every 5th also guesses at an account. Every 7th never logs out. */
const [forgetful, guessing, staying] = [4, 5, 7];

/** Sends the requests of one visit. */
async function visit({ usernames, password, first }: Visits, index: number, connection: Connection, count: Count) {
  const number = first + index;
  const address = `X-Forwarded-For: 198.18.${(number >> 8) % 256}.${number % 256}`;
  const send = async (request: string) => count(await connection.exchange(Buffer.from(request)));

  await send(getRequest('/auth/login', address));
  if (number % guessing === 0) {
    await send(loginRequest('guessed@example.com', 'a guess', '/api/login', 'X-Forwarded-For: 203.0.113.1'));
  }
  const username = usernames[number % usernames.length] ?? '';
  if (number % forgetful === 0) {
    await send(loginRequest(username, `not ${password}`, '/auth/token', address));
    await send(loginRequest(`nobody${number}@example.com`, password, '/api/login', address));
  }
  const { head, body } = await send(loginRequest(username, password, '/api/login', address));
  const cookie = `Cookie: ${/\r\nset-cookie: *(session=[^;\r]*)/i.exec(head)?.[1]}`;
  const token = `Authorization: Bearer ${JSON.parse(body.toString()).access_token}`;
  for (const credential of [cookie, token]) {
    for (const path of ['/auth/home', '/admin/me', '/api/me']) await send(getRequest(path, credential, address));
  }
  if (number % staying === 0) return;
  await send(postRequest('/api/logout', {}, cookie, address));
  await send(getRequest('/api/me', token, address));
}

type Count = (answer: Answer) => Answer;

offer({
  async visit(visits) {
    const { port, perSecond, seconds } = visits;
    const statuses: Record<string, number> = {};
    const count: Count = (answer) => {
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
      return answer;
    };
    async function come(index: number): Promise<void> {
      const connection = await openConnection(port);
      try {
        await visit(visits, index, connection, count);
      } finally {
        connection.close();
      }
    }
    const start = performance.now();
    const underWay: Promise<void>[] = [];
    for (let index = 0; index < perSecond * seconds; index += 1) {
      const rest = start + (index / perSecond) * 1000 - performance.now();
      if (rest > 0) await setTimeout(rest);
      underWay.push(come(index));
    }
    await Promise.all(underWay);
    return statuses;
  },
} satisfies VisitorsTasks);
