const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads a time such as `2026-11-24`, `2026-11-24T08:00Z`, or `24h` (24 hours ago). Returns milliseconds since 1970. Undefined for any other
 * text. The default zone is UTC.
 */
export function parseTime(text: string, now: number): number | undefined {
  const [, number, unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (number !== undefined) return now - Number(number) * (units[unit] ?? 0);
  const [, date, clock = 'T00:00', zone = 'Z'] =
    /^(\d{4}-\d\d-\d\d)(?:(T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text) ?? [];
  const time = Date.parse(`${date}${clock}${zone}`);
  return Number.isNaN(time) ? undefined : time;
}
