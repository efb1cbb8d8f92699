// `janua health` asks the server of this machine whether it is ready. It is a program of its own, because a container runs it every few
// seconds, and the whole command takes a second of the processor.
import { get } from 'node:http';

// As the server reads them: an empty one is the default.
const setting = (name, usual) => process.env[name]?.trim() || usual;
const [HOST, PORT] = [setting('HOST', '127.0.0.1'), setting('PORT', '5000')];
// A server that listens on every address also listens on this one.
const host = ['0.0.0.0', '::'].includes(HOST) ? '127.0.0.1' : HOST;

function end(code, message) {
  process[code === 0 ? 'stdout' : 'stderr'].write(`${message}\n`);
  process.exitCode = code;
}

if (!/^\d{1,5}$/.test(PORT) || Number(PORT) > 65_535) end(1, 'PORT is no number of a port');
else {
  // Without an agent, no setting for a proxy applies.
  const asked = get({ host, port: PORT, path: '/health/ready', timeout: 5000, agent: false }, (answer) => {
    answer.resume();
    if (answer.statusCode === 200) end(0, 'ready');
    else end(1, `not ready: ${answer.statusCode}`);
  });
  asked.on('timeout', () => asked.destroy(new Error('no answer within 5 s')));
  asked.on('error', ({ message }) => end(1, `no server answers at ${host}, port ${PORT}: ${message}`));
}
