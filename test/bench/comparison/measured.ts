import type { Measured } from '../../../bench/comparison/measure.ts';
import { names } from '../../../bench/comparison/names.ts';
import type { Figures } from '../../../bench/measures/requests.ts';

const figures = (cpu: number, perSecond: number, busyCores = 1): Figures => {
  return { cpu, perSecond, median: 16_000 / perSecond, p99: 32_000 / perSecond, busyCores };
};

/** Three rounds. The second is their median. */
const around = (cpu: number, perSecond: number, busyCores?: number) =>
  [2, 1, 0.5].map((factor) => figures(cpu * factor, perSecond / factor, busyCores));

const storm = (idleP99: number, p99: number) => [{ idleP99, p99, median: 1, logins: 80 }];

/** Figures that just meet every goal. */
export const justMet: Measured = {
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
export const alone: Measured = {
  ...justMet,
  cookie: { [names.sqlite]: around(31, 30_000), [names.bare]: around(10, 90_000) },
};
