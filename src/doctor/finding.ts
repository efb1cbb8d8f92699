import * as finding from '../../selftest/finding.ts';
import type { Values } from '../ground/languages/languages.ts';
import type { Sentence } from '../ground/languages/words.ts';

/** Makes findings that pages translate. The type `Sentence` admits only texts with translations. */
export const ok: (message: Sentence, values?: Values) => finding.Finding = finding.ok;
export const warning: (message: Sentence, fix: Sentence, values?: Values) => finding.Finding = finding.warning;
export const wrong: typeof warning = finding.wrong;
