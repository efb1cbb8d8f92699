import type { Settings } from '../config/settings.ts';

/** Details of the log line of a ready server. */
export const readyDetails = ({ PUBLIC_URL }: Settings, port: number) => ({
  url: PUBLIC_URL ?? `http://localhost:${port}`,
  port,
});
