import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import type { Measured } from '../../bench/comparison/compare.ts';
import { names } from '../../bench/comparison/contenders.ts';
import { replaceSection } from '../../bench/comparison/page.ts';
import { describeMeasured, judgeGoals } from '../../bench/comparison/tables.ts';

/** Three rounds. The second is their median. */
const around = (cpu: number, perSecond: number, busyCores = 1) =>
  [2, 1, 0.5].map((factor) => {
    const speed = perSecond / factor;
    return { cpu: cpu * factor, perSecond: speed, median: 16_000 / speed, p99: 32_000 / speed, busyCores };
  });

const storm = (idleP99: number, p99: number) => [{ idleP99, p99, median: 1, logins: 80 }];

/** Figures that just meet every goal. */
const justMet: Measured = {
  cookie: {
    [names.sqlite]: around(28, 30_000),
    [names.redis]: around(45, 15_000, 0.8),
    [names.postgresAlone]: around(40, 12_000),
    [names.postgres]: around(60, 9_000),
    [names.express]: around(100, 12_000),
    [names.betterAuth]: around(700, 2_000),
    [names.bare]: around(10, 90_000),
  },
  token: { [names.sqlite]: around(27, 30_000) },
  page: { [names.sqlite]: around(16, 50_000) },
  login: { [names.sqlite]: around(10_000, 92), [names.argon2]: around(9_000, 100) },
  storm: { [names.sqlite]: storm(2, 5.9), [names.express]: storm(4, 11.8) },
  start: { [names.sqlite]: [{ milliseconds: 349, megabytes: 99 }] },
  memory: { [names.sqlite]: [120] },
};

/** Figures of a machine without the peers and the store servers. */
const alone: Measured = {
  ...justMet,
  cookie: { [names.sqlite]: around(31, 30_000), [names.bare]: around(10, 90_000) },
};

describe('a goal', () => {
  test('is met by a figure at its limit', () => {
    const goals = judgeGoals(justMet).map(({ value, met }) => [value, met]);
    const values = [
      '2.80',
      '2.70',
      '4.50',
      '4.00',
      '6.00',
      '2.50',
      '15.00',
      '92.0 %',
      '5.9 ms',
      '0.50',
      '349 ms',
      '99 MB',
    ];
    assert.deepEqual(
      goals,
      values.map((value) => [value, true]),
    );
  });

  test('is missed by a figure beyond its limit', () => {
    const slow = { cpu: 31, perSecond: 29_999, median: 1, p99: 1, busyCores: 1 };
    const goals = judgeGoals({
      ...justMet,
      cookie: { ...justMet.cookie, [names.sqlite]: [slow] },
      token: { [names.sqlite]: [slow] },
      storm: { ...justMet.storm, [names.sqlite]: storm(2, 6) },
      start: { [names.sqlite]: [{ milliseconds: 350, megabytes: 100 }] },
    });
    assert.deepEqual(
      goals.map(({ met }) => met),
      [false, false, true, true, true, false, false, true, false, false, false, false],
    );
  });

  test('is neither met nor missed if it was not measured', () => {
    const [first, second, ...others] = judgeGoals(alone).slice(0, 7);
    assert.deepEqual([first?.value, first?.met, second?.value, second?.met], ['3.10', false, '2.70', true]);
    for (const { value, met } of others) assert.deepEqual([value, met], [undefined, undefined]);
  });
});

describe('a table', () => {
  const lineOf = (title: string, name: string, measured = justMet) =>
    describeMeasured(measured)
      .find((table) => table.title === title)
      ?.lines.find(([first]) => first === name);

  test('compares requests per second with Janua on SQLite, and CPU with the bare route', () => {
    const line = ['12,000', '6,000 to 24,000', '0.40', '1.33 ms', '2.67 ms', '100 µs', '10.00', '1.00'];
    assert.deepEqual(lineOf('Who am I, by cookie', names.express), [names.express, ...line]);
  });

  test('marks a server that had to wait', () => {
    assert.equal(lineOf('Who am I, by cookie', names.redis)?.at(-1), '0.80 (waits)');
  });

  test('compares the CPU of the login page with the bare route, which has no page', () => {
    assert.equal(lineOf('The login page', names.sqlite)?.at(-2), '1.60');
    assert.equal(lineOf('The login page', names.bare), undefined);
  });

  test('compares logins with argon2 alone', () => {
    assert.equal(lineOf('Login, 16 at a time', names.sqlite)?.[3], '0.92');
  });

  test('has no line for a server that was not measured', () => {
    assert.equal(lineOf('Who am I, by cookie', names.express, alone), undefined);
  });

  test('has as many cells in each line as in the heading', () => {
    for (const { title, lines } of describeMeasured(justMet))
      for (const line of lines) assert.equal(line.length, lines[0]?.length, title);
  });
});

test('the bench replaces its own section of the page, and nothing else', async () => {
  const page = await readFile(new URL('../../docs/performance.md', import.meta.url), 'utf8');
  const once = replaceSection(page, 'the new figures');
  assert.equal(replaceSection(replaceSection(page, 'older figures'), 'the new figures'), once);
  assert.match(once, /-->\nthe new figures\n<!--/);
  assert.equal(once.slice(0, once.indexOf('<!--')), page.slice(0, page.indexOf('<!--')));
  assert.equal(once.slice(once.lastIndexOf('-->')), page.slice(page.lastIndexOf('-->')));
  assert.throws(() => replaceSection('# Performance\n', 'the new figures'));
});
