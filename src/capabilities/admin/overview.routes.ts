import { databasePart } from '../../ground/database/errors.ts';
import { interpolate } from '../../ground/languages/languages.ts';
import type { Sentence } from '../../ground/languages/words.ts';
import { addAction } from '../../web/action.ts';
import { tag } from '../../web/admin-pages.ts';
import { refuseList, unreadableList } from '../../web/list.ts';
import { json, listOf, object, text, time } from '../../web/openapi/responses.ts';
import { tellOf } from '../../web/tell-of.ts';
import type { App } from '../../web/types.ts';
import { type createOverview, type Range, ranges } from './overview.ts';
import { overviewView } from './views.ts';

const count = { type: 'integer', examples: [57] };
const names = Object.keys(ranges);
const totals = Object.fromEntries(names.map((name) => [name, count]));

const schema = object('What has happened', {
  range: text('24h', '`24h`, `7d` or `30d`'),
  series: listOf(
    object('A chart', {
      name: text('sign_ins'),
      totals: object('Sums. Of sessions: how many there are now', totals),
      points: listOf(object('A bar', { from: time, count })),
    }),
  ),
  stores: listOf(
    object('A store', {
      name: text('The database'),
      available: { type: 'boolean' },
      milliseconds: { type: 'number', examples: [0.4] },
    }),
  ),
  findings: listOf(
    object(
      'A finding',
      {
        check: text('schema'),
        state: text('ok', '`ok`, `warning` or `wrong`'),
        message: text("Janua's tables are of this version."),
        fix: { type: 'string' },
      },
      ['fix'],
    ),
    'What `janua doctor` says, as far as it is quickly found',
  ),
});

/** Adds the overview of events and faults on the server. @param withOwnCommand puts the name of the command into a text */
export function addOverview(
  app: App,
  parts: () => { readonly overview: ReturnType<typeof createOverview> },
  withOwnCommand: (text: string) => string,
): void {
  addAction(app, ['/admin', '/api/admin'], {
    method: 'GET',
    summary: 'Overview',
    tag,
    config: { signedIn: true, scope: 'audit:read', view: overviewView, refusals: [unreadableList] },
    query: { range: { description: 'What the charts show: `24h`, `7d` or `30d`', examples: ['7d'] } },
    answer: json('The overview', schema),
    browser: 'The page with the charts',
    async handle(request) {
      const { range } = request.query as { readonly range?: unknown };
      const chosen = range || '24h';
      if (!names.includes(chosen as string)) refuseList();
      const overview = await parts().overview.read(chosen as Range);
      const tell = tellOf(request);
      const findings = overview.findings.map(({ message, fix, values, ...finding }) => {
        // A fault of a setting or of a store has no translation, and stays in English.
        const shown = tell(message as Sentence, values);
        return {
          ...finding,
          message: shown,
          isEnglish: shown === interpolate(message, values),
          ...(fix && { fix: withOwnCommand(tell(fix as Sentence, values)) }),
        };
      });
      const stores = overview.stores.map(({ name, ...store }) => ({
        name: name === databasePart ? tell(databasePart) : name,
        ...store,
      }));
      return { ...overview, stores, findings, command: withOwnCommand('./bin/janua') };
    },
  });
}
