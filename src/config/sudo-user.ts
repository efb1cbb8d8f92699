/** The account that ran `sudo`. It is a hint and no proof, because the operator can set the variable. */
export const findSudoUser = (environment: Readonly<Record<string, string | undefined>> = process.env) =>
  environment.SUDO_USER || undefined;
