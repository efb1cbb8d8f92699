import { Command, Option } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { longestDays } from '../capabilities/oidc/clients/client-secrets.ts';
import { inviteLimits } from '../core/users/invite-limits.ts';
import { type SettingSchema, settingSchemas } from '../ground/config/settings.ts';
import { add, collect, describeOption, endSoon, from, json, numberOption } from './command.ts';
import { hearLauncher } from './launcher.ts';

const settingsHelp = `
Settings, from the environment (those with a password also from a file, such as by DATABASE_URL_FILE):
${Object.entries<SettingSchema>(settingSchemas).map(describeSetting).join('\n')}
`;

function describeSetting([name, schema]: [string, SettingSchema]): string {
  const { description, default: fallback } = schema;
  const shown = fallback === undefined || (Array.isArray(fallback) && fallback.length === 0) ? '' : ` [${fallback}]`;
  return `  ${name.padEnd(26)}${description.replaceAll('`', '')}${shown}`;
}

/** Defines all commands, with their options and help. Each command loads its file only when it runs. */
export function createProgram(): Command {
  const program = new Command('janua')
    .description('A self-hosted authentication server.')
    .version(manifest.version, '-v, --version')
    .exitOverride()
    .configureHelp({ optionDescription: describeOption })
    .showHelpAfterError('(--help lists the commands and options)');

  addServing(program);
  addSetup(program);
  addStores(program);
  addChecks(program);
  addFile(program);
  addUsers(program);
  addImport(program);
  addInviteLinks(program);
  addGroups(program);
  addClients(program);
  addResources(program);
  addSessions(program);
  addThrottle(program);
  addMail(program);
  addAudit(program);
  // Commander's own `help` takes only one word.
  add(program, 'help [command...]', 'show the help of a command').action((words: string[]) => {
    const named = (command: Command, word: string) =>
      command.commands.find((known) => known.name() === word) ?? command;
    words.reduce(named, program).help();
  });
  add(program, 'version', 'print the version').action(() => void process.stdout.write(`${manifest.version}\n`));
  return program;
}

function addServing(program: Command): void {
  add(program, 'demo', 'serve on this machine only, with built-in users')
    .addHelpText('after', settingsHelp)
    .hook('preAction', hearLauncher)
    .hook('postAction', endSoon)
    .action(from(() => import('./demo.ts'), 'demo'));
  add(program, 'serve', 'serve in production')
    .option('--migrate', "first create Janua's tables in the database, or update them")
    // For the workers that `serve` starts. Operators do not use it.
    .addOption(new Option('--worker').hideHelp())
    .addHelpText('after', settingsHelp)
    .hook('preAction', (serve) => {
      if (!serve.opts().worker) hearLauncher();
    })
    .hook('postAction', endSoon)
    .action(from(() => import('./serve.ts'), 'serve'));
}

function addSetup(program: Command): void {
  add(program, 'setup', 'set up a server: ask for what it needs, check each answer, and write the settings')
    .option('--name <name>', 'the name in titles and mails')
    .option('--public-url <url>', 'the address that users open')
    .option('--database <url>', 'sqlite:PATH, or such as postgres://ACCOUNT@HOST/DATABASE, without the password')
    .option('--database-password-file <file>', 'a file with the password of the database, empty for none')
    .option('--mail <url>', 'smtp://ACCOUNT@HOST:PORT without the password, or none')
    .option('--mail-password-file <file>', 'a file with the password of the mail server')
    .option('--mail-from <sender>', 'the sender of mails')
    .option('--admin <email>', 'the first administrator')
    .option('--first-name <name>', 'of the first administrator')
    .option('--last-name <name>', 'of the first administrator')
    .option('--admin-password-file <file>', 'a file with the password of the first administrator')
    .option('--test-mail', 'send a test mail to the first administrator')
    .option('--no-test-mail', 'send none')
    .option('--settings-file <file>', 'where the settings go', '/etc/janua/janua.env')
    .option('--key-file <file>', 'where the encryption key goes')
    .option('--account <name>', 'if root runs this: the account of the service', 'janua')
    .hook('postAction', endSoon)
    .action(from(() => import('./setup.ts'), 'setup'));
}

function addStores(program: Command): void {
  add(program, 'migrate', "create Janua's tables in the database, or update them")
    .addHelpText('after', settingsHelp)
    .action(from(() => import('./migrate.ts'), 'migrate'));
  add(program, 'grants', 'print the statements that give an account of the database the rights that `serve` needs')
    .argument('<account>', 'its name, for MySQL and MariaDB with its host: janua@localhost')
    .action(from(() => import('./grants.ts'), 'printGrants'));
  add(program, 'backup', 'copy the SQLite file while servers use it')
    .argument('<path>', 'of the copy, where no file may exist yet')
    .addOption(
      numberOption('--keep <number>', 'the path is a folder: verify a new copy there, and keep only the latest', 999),
    )
    .addOption(
      new Option('--verify', 'the path is a backup: restore it into a temporary file, and check it').conflicts('keep'),
    )
    .addHelpText('after', settingsHelp)
    .action(from(() => import('./backup.ts'), 'backup'));
  add(program, 'move', 'copy everything to another database, with all servers stopped')
    .option('--to <url>', 'the DATABASE_URL of an empty database that has only been migrated')
    .option('--to-file <file>', 'a file with that URL, which keeps a password out of the list of processes')
    .option(...json)
    .addHelpText('after', settingsHelp)
    .hook('postAction', endSoon)
    .action(from(() => import('./move.ts'), 'move'));
  const keys = add(program, 'keys', 'replace a key that Janua generated');
  add(keys, 'rotate', 'generate a new key; what was signed with the old one becomes invalid, what was encrypted stays')
    .argument('<name>', 'browser-cookie, audit-names, forward-auth, ceremonies, applications, encryption or signing')
    .action(from(() => import('./keys.ts'), 'rotateKey'));
}

function addChecks(program: Command): void {
  add(program, 'doctor', 'check whether settings, stores and machine suit `serve`; changes no data')
    .option(
      '--upgrade',
      'before an upgrade, by the new version: older tables are no fault if `migrate` can update them',
    )
    .option(...json)
    .addHelpText('after', settingsHelp)
    .hook('postAction', endSoon)
    .action(from(() => import('./doctor.ts'), 'doctor'));
  add(program, 'config', 'show every setting as `serve` reads it, with its source and without passwords')
    .option(...json)
    .action(from(() => import('./config.ts'), 'printConfiguration'));
  add(program, 'selftest', 'check a running server from outside, through its proxies; safe for a server in use')
    .requiredOption('--against <url>', 'the address that users open')
    .option('--user <email>', 'a test user; the password is asked for, or read from standard input')
    .option('--throttle', 'also send up to 12 wrong passwords for a made-up name; this address may have to wait then')
    .option('--ca <file>', 'certificates of your own certificate authority')
    .addOption(numberOption('--http-port <port>', 'where the server may answer plain HTTP', 65_535).default(80))
    .addOption(numberOption('--timeout <seconds>', 'longest that one request may take', 60).default(10))
    .option(...json)
    .action(from(() => import('./selftest.ts'), 'selftest'));
}

function addFile(program: Command): void {
  add(program, 'apply', 'add and change groups, clients, resources and users as a file says, all or nothing')
    .argument('<file>', 'in YAML or JSON (docs/apply.md); - reads standard input')
    .option('--dry-run', 'only show each object that would be added, changed or removed, field by field')
    .option('--prune', 'remove clients, resources and groups that a file of this name added, and has no longer')
    .action(from(() => import('./apply.ts'), 'applyFile'));
  add(program, 'export', 'print groups, clients and resources as a file for `apply`, without secrets')
    .requiredOption('--apply', 'in the format of `apply`')
    .option('--name <name>', 'the name of the file', 'janua')
    .option('--users', 'also the users, without passwords')
    .option('--pictures <folder>', 'also the pictures of clients, as files in this folder')
    .action(from(() => import('./export.ts'), 'exportFile'));
}

function addUsers(program: Command): void {
  const users = add(program, 'users', 'add, list and change users');
  const usersFile = () => import('./users.ts');
  add(users, 'add <email>', 'add a user; the password is asked for, or read from standard input')
    .requiredOption('--first-name <name>')
    .requiredOption('--last-name <name>')
    .option('--group <name>', 'a group that the user is added to; may be repeated', collect, [])
    .option('--handle <name>', 'a second name to sign in with')
    .option('--verified', 'you know that the address is the one of the user')
    .action(from(usersFile, 'addUser'));
  add(users, 'invite <email>', 'add a user, and mail a link by which the user chooses a password')
    .requiredOption('--first-name <name>')
    .requiredOption('--last-name <name>')
    .option('--group <name>', 'a group that the user is added to; may be repeated', collect, [])
    .option('--handle <name>', 'a second name to sign in with')
    .action(from(usersFile, 'inviteUser'));
  add(users, 'list', 'list all users')
    .option(...json)
    .action(from(usersFile, 'listUsers'));
  add(users, 'import <file>', 'add users from CSV or JSON lines, with their password hashes; - reads standard input')
    .option('--dry-run', 'only show which rows would be refused')
    .option(
      '--map <column=name>',
      'a column of the file, and its name here, such as email=username; other columns are left out; may be repeated',
      collect,
    )
    .option('--invite', 'mail an invitation to each added user without a password, as the limits of mail allow')
    .action(from(() => import('./import.ts'), 'importUsers'));
  const importsFile = () => import('./imports.ts');
  add(
    users,
    'imports',
    'list the latest imports, and how many of their users have signed in, were invited, or await an invitation',
  )
    .option(...json)
    .action(from(importsFile, 'listImports'));
  const undo = 'remove the users of an import, all or none, while none has signed in or chosen a password';
  add(users, 'undo-import <id>', undo).action(from(importsFile, 'undoImport'));
  add(users, 'export', 'print all users as CSV, as `import` reads them')
    .option(...json)
    .option('--with-hashes', 'also the password hashes: keep the output secret')
    .action(from(usersFile, 'exportUsers'));
  const setPassword = 'set a new password and end all sessions; it is asked for, or read from standard input';
  add(users, 'sync', 'bring the accounts in line with USERS_TABLE')
    .option('--force', 'also when many users have left the table')
    .action(from(usersFile, 'syncUsers'));
  add(users, 'moved', 'say that the rows of USERS_TABLE are still the same people; stop every server first')
    .option('--force', 'end the accounts whose ids have no row now, or one with another name')
    .action(from(usersFile, 'noteMoved'));
  add(users, 'set-password <email>', setPassword).action(from(usersFile, 'setPassword'));
  const reset = 'mail a link that sets a new password, or the invitation again to a user who has not begun';
  add(users, 'send-reset <email>', reset).action(from(usersFile, 'sendReset'));
  add(users, 'disable <email>', 'keep a user out and end all sessions').action(from(usersFile, 'disableUser'));
  add(users, 'enable <email>', 'let a disabled user in again').action(from(usersFile, 'enableUser'));
  const verify = 'say that the address is the one of the user; applications link accounts by it';
  add(users, 'verify <email>', verify).action(from(usersFile, 'verifyUser'));
  add(users, 'remove <email>', 'remove a user and end all sessions').action(from(usersFile, 'removeUser'));
  add(users, 'handle <email> [handle]', 'give a user a second name to sign in with; without one, take it away').action(
    from(usersFile, 'setHandle'),
  );
  add(users, 'groups <email>', 'show or change the groups of a user')
    .option('--add <name>', 'add the user to a group; may be repeated', collect, [])
    .option('--remove <name>', 'remove the user from a group; may be repeated', collect, [])
    .action(from(() => import('./groups.ts'), 'changeGroups'));
  addClaimOptions(
    add(users, 'claims <email>', 'change the custom claims of a user, and show them with those of the groups'),
  ).action(from(() => import('./groups.ts'), 'userClaims'));
  const factorsFile = () => import('./factors.ts');
  add(users, 'factors <email>', 'list the second factors of a user')
    .option(...json)
    .action(from(factorsFile, 'listFactors'));
  const removeFactors = 'remove the second factors of a user who has lost them, and end all sessions';
  add(users, 'remove-factors <email>', removeFactors).action(from(factorsFile, 'removeFactors'));
  const enrolmentLink = 'print a secret link by which the user adds the first factor; it works once, for 30 minutes';
  add(users, 'enrolment-link <email>', enrolmentLink).action(from(factorsFile, 'printEnrolmentLink'));
}

function addImport(program: Command): void {
  const what = 'add the users, groups and clients of a realm of Keycloak, with passwords, secrets and ids';
  add(add(program, 'import', 'move in from another server'), 'keycloak <file-or-folder>', what)
    .option('--dry-run', 'change nothing, and show what would be added, and what cannot come')
    .option('--invite', 'mail an invitation to each added user without a password, as the limits of mail allow')
    .option(
      '--redirect-uri <client=url>',
      'a redirect address of a client that has a wildcard in Keycloak; may be repeated',
      collect,
    )
    .action(from(() => import('./import-keycloak.ts'), 'importKeycloak'));
}

function addInviteLinks(program: Command): void {
  const file = () => import('./invite-links.ts');
  const links = add(program, 'invite-links', 'add, list and revoke links by which many users join');
  add(links, 'add', 'add a link and print it once; each user who joins proves an address by a mail')
    .requiredOption('--label <text>', 'what it is for')
    .option('--group <name>', 'a group of the users who join, except admins; may be repeated', collect, [])
    .addOption(numberOption('--uses <number>', 'how many users may join', inviteLimits.mostUses).makeOptionMandatory())
    .addOption(numberOption('--days <days>', 'how long it works', inviteLimits.mostDays).makeOptionMandatory())
    .option('--domain <name>', 'the domain that addresses must have')
    .action(from(file, 'addInviteLink'));
  add(links, 'list', 'list the links that have not expired')
    .option(...json)
    .action(from(file, 'listInviteLinks'));
  add(links, 'revoke <id>', 'revoke a link, also for users who have its mail already').action(
    from(file, 'revokeInviteLink'),
  );
}

function addGroups(program: Command): void {
  const groupsFile = () => import('./groups.ts');
  const groups = add(program, 'groups', 'list, add and change groups, and what they grant');
  add(groups, 'list', 'list all groups with their scopes')
    .option(...json)
    .action(from(groupsFile, 'listGroups'));
  add(groups, 'add <name> [scopes...]', 'add a group that grants these scopes')
    .option('--description <text>', 'who is in it', '')
    .action(from(groupsFile, 'addGroup'));
  add(groups, 'scopes <name> [scopes...]', 'set what a group grants').action(from(groupsFile, 'setScopes'));
  add(groups, 'second-factor <name>', 'demand a second factor of the users of a group when they sign in')
    .option('--off', 'demand none any more')
    .action(from(groupsFile, 'setSecondFactor'));
  addClaimOptions(add(groups, 'claims <name>', 'show or change the custom claims of the users of a group')).action(
    from(groupsFile, 'groupClaims'),
  );
  add(groups, 'remove <name>', 'remove a group; its users lose what it grants').action(from(groupsFile, 'removeGroup'));
}

function addClients(program: Command): void {
  const clientsFile = () => import('./clients.ts');
  const clients = add(program, 'clients', 'add, list and change the applications that sign their users in here');
  addClientSettings(add(clients, 'add', 'add a client; prints its id and, once, its secret'))
    .option('--public', 'an application that can keep no secret, such as one in a browser or on a phone')
    .option(...json)
    .action(from(clientsFile, 'addClient'));
  add(clients, 'list', 'list all clients')
    .option(...json)
    .action(from(clientsFile, 'listClients'));
  add(clients, 'show <client>', 'show the settings of a client, by its id or its name')
    .option(...json)
    .action(from(clientsFile, 'showClient'));
  addClientSettings(add(clients, 'set <client>', "change what is named; '' stands for none"))
    .option('--picture <file>', 'PNG or WebP that users see beside the name, at most 512 × 512 pixels and 256 KB')
    .option('--no-picture', 'show the first letter of the name in its place')
    .option('--no-machine', 'no program any more: it loses what it may do as itself')
    .option('--no-own', 'ask users for their consent')
    .option('--no-device', 'no device flow')
    .option('--no-second-factor', 'demand no second factor')
    .option('--no-pushed-requests', 'demand no pushed requests')
    .option('--no-dpop', 'demand no bound tokens')
    .action(from(clientsFile, 'setClient'));
  const secrets = add(clients, 'secret', 'add, list and remove the secrets of a client');
  const name = ['--name <name>', 'tells the secrets of the client apart'] as const;
  add(secrets, 'add <client>', 'add a secret and print it once; the others go on working')
    .requiredOption(...name)
    .addOption(numberOption('--expires <days>', 'when it expires; it never does without this', longestDays))
    .option(...json)
    .action(from(clientsFile, 'addSecret'));
  add(secrets, 'list <client>', 'list the secrets of a client, without their texts')
    .option(...json)
    .action(from(clientsFile, 'listSecrets'));
  add(secrets, 'remove <client>', 'remove a secret, which stops working at once')
    .requiredOption(...name)
    .action(from(clientsFile, 'removeSecret'));
  add(clients, 'rotate-secret <client>', 'replace all secrets by a new one and print it once; they stop working')
    .option(...json)
    .action(from(clientsFile, 'rotateSecret'));
  add(clients, 'remove <client>', 'remove a client and end all that it holds').action(
    from(clientsFile, 'removeClient'),
  );
}

function addResources(program: Command): void {
  const resourcesFile = () => import('./resources.ts');
  const resources = add(program, 'resources', 'add, list and remove servers that accept access tokens');
  add(resources, 'add <uri>', 'add a server; clients then ask for tokens for it')
    .requiredOption('--scopes <names...>', 'what a token for it may allow')
    .option('--jwt', 'signed tokens that last 5 minutes, in place of opaque ones')
    .addOption(new Option('--alg <name>', 'how they are signed, if not by RS256').choices(['RS256', 'ES256']))
    .action(from(resourcesFile, 'addResource'));
  add(resources, 'list', 'list all resources')
    .option(...json)
    .action(from(resourcesFile, 'listResources'));
  add(resources, 'set <uri>', 'let a server ask about its tokens, or exchange them for those of another one')
    .option('--secret', 'make a new secret, and print it once, with the id; the old one stops working')
    .option('--exchange-for <uri=scopes>', 'another server and its scopes, by commas; may be repeated', collect)
    .option('--no-exchange-for', 'let it exchange none of its tokens')
    .option(...json)
    .action(from(resourcesFile, 'setResource'));
  add(resources, 'remove <uri>', 'remove a server; clients get no more tokens for it').action(
    from(resourcesFile, 'removeResource'),
  );
}

function addSessions(program: Command): void {
  const sessions = add(program, 'sessions', 'list and end the sessions of a user');
  const sessionsFile = () => import('./sessions.ts');
  const userId = ['--user-id <id>', 'a user who no longer exists, in place of the e-mail address'] as const;
  add(sessions, 'list [email]', 'list the active sessions of a user')
    .option(...userId)
    .option(...json)
    .action(from(sessionsFile, 'listSessions'));
  add(sessions, 'revoke <session>', 'end one session').action(from(sessionsFile, 'revokeSession'));
  const revokeAll =
    'end all sessions of a user, what applications and devices may do without one, consents, trust in browsers and open links';
  add(sessions, 'revoke-all [email]', revokeAll)
    .option(...userId)
    .option('--tokens', 'the personal access tokens too')
    .action(from(sessionsFile, 'revokeAllSessions'));
}

function addThrottle(program: Command): void {
  const throttle = add(program, 'throttle', 'show which logins have to wait after failures, and lift the wait');
  const throttleFile = () => import('./throttle.ts');
  add(throttle, 'list', 'list every user, name, address and browser with counted failures')
    .option(...json)
    .action(from(throttleFile, 'listThrottle'));
  add(throttle, 'lift [email]', 'forget the failures of a user or a name, of an address, or all')
    .option('--address <address>', 'an IP address or IPv6 /48, as the list shows it')
    .option('--all', 'all failures')
    .action(from(throttleFile, 'liftThrottle'));
}

function addMail(program: Command): void {
  const mail = add(program, 'mail', 'show the mail that waits to be sent, and try the mail server');
  const mailFile = () => import('./mail.ts');
  add(mail, 'list', 'list the mails that wait, and those that were given up')
    .option(...json)
    .action(from(mailFile, 'listMail'));
  add(mail, 'retry [id]', 'send all listed mails now, or one; the server does it within seconds').action(
    from(mailFile, 'retryMail'),
  );
  add(mail, 'test <address>', 'send a test mail, and show what the mail server says').action(
    from(mailFile, 'testMail'),
  );
}

function addAudit(program: Command): void {
  add(program, 'audit', 'show recorded decisions, newest last: logins, refusals, changes of users and sessions')
    .option('--since <time>', 'an age such as 30m, 24h or 7d, or a time such as 2026-11-24T08:00Z')
    .option('--until <time>', 'the same')
    .option('--user <email>', 'a user, or a name without a user, as it was typed')
    .option('--user-id <id>', 'in place of the e-mail address')
    .option('--kind <kind>', 'such as login-failed')
    .option('--address <address>', "the client's address")
    .addOption(numberOption('--limit <number>', 'only the latest; else 50 in the table, all as JSON', 999_999))
    .option(...json)
    .action(from(() => import('./audit.ts'), 'audit'));
  add(program, 'explain', 'explain why a request was refused or allowed')
    .argument('<request-id>', 'as the refused user has seen it')
    .action(from(() => import('./explain.ts'), 'explain'));
}

const addClaimOptions = (command: Command): Command =>
  command
    .option('--set <name=value>', 'set a claim to a text, or to JSON; may be repeated', collect, [])
    .option('--remove <name>', 'remove a claim; may be repeated', collect, []);

const addClientSettings = (command: Command): Command =>
  command
    .option('--name <name>', 'as users see it')
    .option('--redirect-uri <url>', 'where users return to after signing in; may be repeated', collect)
    .option('--post-logout-redirect-uri <url>', 'where they may return to after logging out; may be repeated', collect)
    .option('--backchannel-logout-uri <url>', 'where the server tells the application that a session has ended')
    .option('--uri <url>', 'the page that users open to begin; the home page links to it')
    .option('--own', "your own application: users aren't asked for their consent")
    .option('--device', 'may sign users in on devices without a browser (RFC 8628)')
    .option('--second-factor', 'demand a second factor of every sign-in')
    .option('--pushed-requests', 'demand a pushed request of every sign-in (RFC 9126)')
    .option('--dpop', 'demand that each token is bound to a key (RFC 9449)')
    .option('--group <name>', 'only members may use it; may be repeated', collect)
    .addOption(
      new Option('--pkce <setting>', 'nonce: a challenge or a nonce; required: a challenge; optional: neither').choices(
        ['nonce', 'required', 'optional'],
      ),
    )
    .addOption(
      new Option('--id-token-alg <name>', 'how ID tokens and logout tokens are signed, if not by RS256').choices([
        'RS256',
        'ES256',
      ]),
    )
    .option(
      '--claim <claim=source>',
      'a claim that it gets, such as roles=groups:editors=editor; may be repeated, and replaces all',
      collect,
    )
    .option('--machine', 'a program that acts as itself, without a user (client_credentials)')
    .option('--scope <scope>', "one of Janua's scopes that such a program has; may be repeated", collect)
    .option('--within <groups>', 'the groups on which it may use them, separated by commas', (text) =>
      text.split(',').filter(Boolean),
    )
    .option('--may <uri=scopes>', 'a resource and its scopes for such a program, by commas; may be repeated', collect)
    .option(
      '--trust <workload>',
      'a job or service whose tokens of another issuer prove such a program, such as github:OWNER/REPO,repository_id=ID; may be repeated',
      collect,
    )
    .option('--jwks <file>', 'public keys that prove the client, in place of secrets (private_key_jwt)')
    .option('--jwks-uri <url>', 'where the client publishes such keys');
