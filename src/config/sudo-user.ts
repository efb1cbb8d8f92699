/** The account that ran `sudo`. It is a hint and no proof, because the operator can set the variable. */
export const findSudoUser = () => process.env.SUDO_USER || undefined;
