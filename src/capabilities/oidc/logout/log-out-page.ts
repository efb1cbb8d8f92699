import type { leaveView } from '../../../web/leave.ts';
import type { Page } from '../../../web/page.ts';
import { type Answer, view } from '../../../web/view.ts';

/** The page asks the user, continues by itself, or says that the user is logged out. */
interface LogOut {
  readonly given: Readonly<Record<string, string>>;
  readonly path: string;
  readonly action?: string;
  readonly goesOn?: true;
  readonly isOver?: true;
  /** The name of the user who is asked. Undefined if the page does not ask. */
  readonly account?: string;
  readonly application?: string | undefined;
  /** The id of the request, by which the operator finds the fault. */
  readonly request_id?: string | undefined;
  readonly target?: undefined;
}

declare module '../../../web/view.ts' {
  interface Pages {
    'capabilities/oidc/logout/log-out': ReturnType<typeof describe>;
  }
}

function describe(answer: LogOut | Answer<typeof leaveView>, page: Page) {
  if (answer.target !== undefined) return { leave: { ...answer, ...page } };
  const { words, interpolate, site } = page;
  const { logOut } = words.oidc;
  const { name } = site;
  const { goesOn, isOver, account, application, action, given, request_id } = answer;
  return {
    isAsked: account !== undefined,
    title: goesOn ? logOut.goesOn : isOver ? logOut.over : logOut.title,
    asked: account && {
      lead: application ? interpolate(logOut.lead, { application, name }) : interpolate(logOut.plain, { name }),
      account: interpolate(logOut.account, { account }),
    },
    fault: request_id && { text: interpolate(logOut.noReturn, { name }), request_id },
    form: action && {
      ...{ action, goesOn, fields: Object.entries(given) },
      submit: goesOn ? logOut.next : logOut.submit,
    },
  };
}

export const logOutView = view('capabilities/oidc/logout/log-out', describe);
