export const demoPassword = 'password';

/** All demo users share one hash of weak cost. A user's first login replaces it with a strong one. */
export const demoHash = '$argon2id$v=19$m=16,t=2,p=1$b2szcWQ4a0tlTkFydUdOaw$7LX7WCYbItEMEwvH3yUxPA';

/** The users of the demo, and of the example in `examples/employees`. */
export const demoUsers = [
  { username: 'behai_nguyen@hotmail.com', firstName: 'Be Hai', lastName: 'Doe' },
  { username: 'pranav.furedi.10198@gmail.com', firstName: 'Pranav', lastName: 'Furedi' },
] as const;

/** In the demo, this user is in the group `admins`. */
export const demoAdministrator = { username: 'admin@example.com', firstName: 'Ada', lastName: 'Admin' } as const;
