import type { Settings } from '../config/settings.ts';

/** What the log says of a server that is ready. */
export const readyDetails = ({ PUBLIC_URL }: Settings, port: number) => ({
  url: PUBLIC_URL ?? `http://localhost:${port}`,
  port,
});
