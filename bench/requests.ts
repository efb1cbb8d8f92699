/** Formats whole HTTP requests in advance, so that sending them costs the client almost nothing. */
export function getRequest(path: string, ...fields: string[]): string {
  return ['GET '.concat(path, ' HTTP/1.1'), 'Host: 127.0.0.1', ...fields, '', ''].join('\r\n');
}

export function loginRequest(username: string, password: string, path = '/api/login', ...fields: string[]): string {
  return postRequest(path, { username, password }, ...fields);
}

export function postRequest(path: string, body: object, ...fields: string[]): string {
  const text = JSON.stringify(body);
  return [
    `POST ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(text)}`,
    ...fields,
    '',
    text,
  ].join('\r\n');
}
