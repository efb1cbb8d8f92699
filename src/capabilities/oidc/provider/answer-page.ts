import type { leaveView } from '../../../web/leave.ts';
import type { Page } from '../../../web/page.ts';
import { type Answer, view } from '../../../web/view.ts';
import type { StrangerSite } from './answer.ts';

/** A form that the browser sends to the application (`response_mode=form_post`). */
interface Posted {
  readonly action: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly origin: string;
  readonly path: string;
}

interface Strange {
  readonly stranger: StrangerSite;
  readonly request_id: string;
}

declare module '../../../web/view.ts' {
  interface Pages {
    'capabilities/oidc/provider/answer': ReturnType<typeof describe>;
  }
}

function describe(answer: Posted | Strange | Answer<typeof leaveView>, page: Page) {
  const { refused } = page.words.oidc;
  if ('target' in answer) return { leave: { ...answer, ...page } };
  if ('action' in answer)
    return {
      action: answer.action,
      heading: page.interpolate(page.words.forward.heading, { origin: answer.origin }),
      fields: Object.entries(answer.fields),
    };
  const { host: application, location } = answer.stranger;
  const stranger = {
    heading: page.interpolate(refused.heading, { application }),
    ...{ location, back: page.interpolate(refused.back, { application }), request_id: answer.request_id },
  };
  return { stranger };
}

export const answerView = view('capabilities/oidc/provider/answer', describe);
