/** A change that cannot be made. The message tells an administrator why. */
export class ChangeRefused extends Error {
  override readonly name: string = 'ChangeRefused';
}

/** Without an administrator, only commands could make a new one. */
export class LastAdministrator extends ChangeRefused {
  override readonly name = 'LastAdministrator';

  constructor() {
    super('This is the last administrator: add another user to the group admins first.');
  }
}
