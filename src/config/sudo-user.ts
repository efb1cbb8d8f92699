/** The account that `sudo` was run by. The operator can set the variable too: it is a hint, and no proof. */
export const findSudoUser = (environment: Readonly<Record<string, string | undefined>> = process.env) =>
  environment.SUDO_USER || undefined;
