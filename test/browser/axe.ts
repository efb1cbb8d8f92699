import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Result as Violation } from 'axe-core';
import type { Page } from 'playwright-core';

export const wcag22aa = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

const axe = await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

/** @param rules ids or tags of rules */
export async function violations(
  page: Page,
  rules: readonly string[] = wcag22aa,
  except: readonly string[] = [],
): Promise<string[]> {
  // Once for each document, because loading takes longer than checking.
  if (!(await page.evaluate<boolean>("'axe' in window"))) await page.evaluate(axe);
  const options = {
    runOnly: rules,
    rules: Object.fromEntries(except.map((rule) => [rule, { enabled: false }])),
    resultTypes: ['violations'],
  };
  const found = await page.evaluate<Violation[]>(`axe.run(${JSON.stringify(options)}).then((r) => r.violations)`);
  return found.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`),
  );
}
