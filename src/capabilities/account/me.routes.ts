import { addAction } from '../../web/action.ts';
import { json, object, text } from '../../web/openapi/responses.ts';
import type { App } from '../../web/types.ts';
import { view } from '../../web/view.ts';

/** The response has only these fields, whatever the handler returns (ASVS 15.3.1). */
const meSchema = object('The signed-in user', {
  username: text('behai_nguyen@hotmail.com'),
  first_name: text('Be Hai'),
  last_name: text('Doe'),
});

export function addMe(app: App): void {
  addAction(app, ['/admin/me', '/api/me'], {
    method: 'GET',
    summary: 'Who am I',
    tag: 'Who am I',
    config: { signedIn: true, view: view('capabilities/account/me') },
    answer: json('The signed-in user', meSchema),
    browser: 'The page My Info',
    handle: ({ user }) => ({ username: user.username, first_name: user.firstName, last_name: user.lastName }),
  });
}
