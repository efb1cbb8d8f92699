/** Paths that an application could resolve to one outside `/public/`. Janua and the files of `deploy/` refuse them. */
export const leavingPaths: readonly string[] = [
  // Steps up, in every spelling of a dot and a slash, and behind a path parameter.
  ...[
    '..',
    '.',
    '...',
    '%2e%2e',
    '.%2E',
    '%2e.',
    '..;',
    '..;a',
    '..;a=b',
    '%2e%2e;a',
    ';/..',
    ';a/..',
    '..%3b',
    '..%3Ba',
  ].flatMap((up) => [`/public/${up}/admin`, `/public/x/${up}/${up}/admin`]),
  ...['%2f..', '%2F%2e%2e', '\\..', '%5c..', '%5C%2e%2e', '//..', '/.//..'].map((up) => `/public${up}/admin`),
  '/public/..',
  '/public/x/..?y',
  '/public//admin',
  '/public/a%2fb',
  '/public/a%2eb',
  '/public/a\\b',
  '/public/a%5Cb',
  '/public/a;b',
  // Encoded twice.
  ...['%252e%252e', '..%252fadmin', '..%255cadmin', '..%253b', '%25', '%2525'].map((up) => `/public/${up}/x`),
  // What ends the path, or begins a query.
  ...['..%23', '..%3f', '..%3Fa', 'a%23b', 'a%3fb'].map((up) => `/public/${up}/admin`),
  // Control characters, which some applications drop.
  ...['%00', '%01', '%08', '%09', '%0a', '%0D', '%1b', '%1F', '%7f', '%7F'].flatMap((odd) =>
    [`.${odd}.`, `..${odd}`, `${odd}..`, `a${odd}b`].map((up) => `/public/${up}/admin`),
  ),
  // Blanks and invisible letters between dots, in UTF-8 and in one byte, and blanks at the end of a name.
  ...[
    '%20',
    '+',
    '%C2%A0',
    '%c2%85',
    '%C2%AD',
    '%E2%80%8B',
    '%E2%80%AE',
    '%E3%80%80',
    '%EF%BB%BF',
    '%CC%80',
    '%A0',
    '%85',
    '%FF',
  ].flatMap((odd) => [`.${odd}.`, `..${odd}`, `${odd}..`, `${odd}.${odd}.${odd}`].map((up) => `/public/${up}/admin`)),
  ...['a.', 'a+', 'a%20', 'a..', 'a%20%20'].flatMap((name) => [
    `/public/${name}`,
    `/public/${name}/b`,
    `/public/${name}?c`,
  ]),
  // Forms that UTF-8 forbids and some decoders accept.
  ...['%c0%ae%C0%AE', '..%c0%afadmin', '%c1%9c..', '%e0%80%ae.', '%E0%82%AF..', '%f0%80%80%ae.', '..%f0%80%80%afa'].map(
    (up) => `/public/${up}/x`,
  ),
  // Letters that Unicode normalization (NFKC) turns into dots, slashes, semicolons, question marks or percent signs.
  ...[
    '%EF%BC%8E%EF%BC%8E',
    '%E2%80%A4%E2%80%A4',
    '%E2%80%A5',
    '%EF%B9%92%EF%B9%92',
    '%EF%B8%B0',
    'a%EF%BC%8Fb',
    'a%ef%bc%bcb',
    'a%EF%B9%A8b',
  ].map((up) => `/public/${up}/admin`),
  ...[
    '..%EF%BC%9Ba',
    '..%EF%B9%94a',
    '..%CD%BEa',
    '..%EF%BC%9Fa',
    '..%E2%81%87a',
    '..%EF%BC%83a',
    '%EF%BC%852e%EF%BC%852e',
  ].map((up) => `/public/${up}/admin`),
];

/** Public paths that every application reads in the same way. */
export const plainPaths: readonly string[] = [
  '/public/',
  '/public/a/',
  '/public/.well-known/a',
  '/public/a.b/c%20d.js?e=../f%2fg;h',
  '/public/a+b/c%20d%20e',
  "/public/a-b_c~d!e$f&g'h(i)j*k,l:m=n@o",
  '/public/%61',
  '/public/%7Ea%3A%40%2B%5B%5D',
  '/public/..a/...b',
  '/public/%C3%A9%E0%A0%80%F0%90%80%80',
  '/public/stra%C3%9Fe.png',
  '/public/it%E2%80%99s%20%E2%80%93%20%E2%82%AC.pdf',
  '/public/%E0%B9%84%E0%B8%97%E0%B8%A2/Vi%E1%BB%87t',
  '/public/%E6%97%A5%E6%9C%AC.png',
  '/public/%D0%AF.%D0%AF.txt',
  '/public/%F0%9F%98%80',
];
