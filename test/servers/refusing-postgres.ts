import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

const message = (type: string, body: Buffer) => {
  const size = Buffer.alloc(4);
  size.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), size, body]);
};

const askForPassword = message('R', Buffer.from([0, 0, 0, 3]));

/** A server that asks like PostgreSQL for a password, and then refuses the connection. @param state the SQLSTATE */
export async function startRefusingPostgres(state: string) {
  const passwords: string[] = [];
  const refusal = message('E', Buffer.from(`SFATAL\0C${state}\0Mno\0\0`));
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(askForPassword);
      socket.once('data', (answer: Buffer) => {
        passwords.push(answer.subarray(5, -1).toString());
        socket.end(refusal);
      });
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    /** Host, port and database. */
    address: `127.0.0.1:${(server.address() as AddressInfo).port}/x`,
    /** The passwords that clients have sent. */
    passwords,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}
