// Every page works without this script.

/** In the language of the page. */
const { unreachable, showPassword } = document.currentScript.dataset;

// A page in the browser's back/forward cache must not outlive the session, so the browser loads it again.
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});

// The message was shown. A bookmark does not bring it back.
const address = new URL(location.href);
const told = ['state', 'deleted'].findLast((name) => address.searchParams.has(name));
if (told && document.querySelector('.message[role]:not([data-stays]), [action="/auth/token"]')) {
  address.searchParams.delete(told);
  history.replaceState(history.state, '', address);
}

// Times in the time zone of the browser and the language of the page, except in the audit. They are sent in UTC, which stays as title.
const day = { year: 'numeric', month: 'long', day: 'numeric' };
// The server writes hours in the same way (speech.ts).
const hour = document.documentElement.lang === 'en' ? 'numeric' : '2-digit';
const minute = { ...day, hour, minute: '2-digit' };
const moment = { ...minute, month: 'short', second: '2-digit', timeZoneName: 'short' };
const forms = { date: day, time: minute, moment };
for (const time of document.querySelectorAll('[data-shown]')) {
  time.title = time.textContent;
  const { format } = new Intl.DateTimeFormat(document.documentElement.lang, forms[time.dataset.shown]);
  time.textContent = format(new Date(time.dateTime));
}

// A form that sends itself. A page that the browser makes ready ahead of its user waits for them.
const waiting = document.querySelector('form[data-submit]');
if (waiting && document.prerendering) document.addEventListener('prerenderingchange', () => waiting.requestSubmit());
else waiting?.requestSubmit();

// A button shows the password.
for (const input of document.querySelectorAll('input[type=password]')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'reveal';
  button.textContent = showPassword;
  button.title = showPassword;
  button.setAttribute('aria-controls', input.id);
  button.addEventListener('click', () => show(input.type === 'password'));
  // A password manager saves passwords only, and a browser remembers other texts.
  input.form.addEventListener('submit', () => show(false));
  show(false);
  input.after(button);

  function show(visible) {
    input.type = visible ? 'text' : 'password';
    button.setAttribute('aria-pressed', String(visible));
  }
}

// A form can send the state of a checkbox of another form.
addEventListener('formdata', ({ target, formData }) => {
  for (const { name, dataset } of target.querySelectorAll('[data-checkbox]'))
    formData.set(name, document.getElementById(dataset.checkbox).checked ? 'on' : '');
});

// Only a script can copy, and only on a page that HTTPS protects.
for (const button of document.querySelectorAll('[data-copy]')) {
  const { copy, copied } = button.dataset;
  button.hidden = navigator.clipboard === undefined;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(copy);
    button.textContent = copied;
  });
}

// Only a script can save a text whose address, which the browser keeps, does not hold it.
for (const button of document.querySelectorAll('[data-save]')) {
  const { save, file } = button.dataset;
  button.hidden = false;
  button.addEventListener('click', () => {
    const href = URL.createObjectURL(new Blob([save], { type: 'text/plain' }));
    Object.assign(document.createElement('a'), { href, download: file }).click();
    URL.revokeObjectURL(href);
  });
}

// Only a script can print.
for (const button of document.querySelectorAll('[data-print]')) {
  button.hidden = false;
  button.addEventListener('click', () => print());
}

// A link to JSON opens a panel on the page.
for (const link of document.querySelectorAll('[data-json-panel]')) {
  const panel = document.getElementById(link.dataset.jsonPanel);
  link.setAttribute('role', 'button');
  link.setAttribute('aria-controls', panel.id);
  link.setAttribute('aria-expanded', 'false');
  link.addEventListener('keydown', (event) => {
    if (event.key === ' ') {
      event.preventDefault();
      link.click();
    }
  });
  link.addEventListener('click', async (event) => {
    event.preventDefault();
    if (!panel.hidden) return show(false);
    try {
      const response = await fetch(link.href);
      if (response.status === 401) return location.reload();
      panel.querySelector('code').textContent = JSON.stringify(await response.json(), null, 2);
    } catch {
      panel.querySelector('code').textContent = unreachable;
    }
    show(true);
  });

  function show(visible) {
    panel.hidden = !visible;
    link.setAttribute('aria-expanded', String(visible));
  }
}

// On a small screen, a menu begins at the page that is open.
for (const open of document.querySelectorAll('.tabs [aria-current]'))
  open.parentElement.scrollLeft = open.offsetLeft - open.parentElement.offsetLeft - open.offsetWidth;

// The menu of languages closes by Escape, and by a click beside it.
const menu = document.querySelector('.languages');
addEventListener('click', ({ target }) => {
  if (!menu.contains(target)) menu.open = false;
});
addEventListener('keydown', ({ key }) => {
  if (key !== 'Escape' || !menu.open) return;
  menu.open = false;
  menu.querySelector('summary').focus();
});

// A form shows its preview while its user types. Without this script, a button does.
for (const form of document.querySelectorAll('form[data-preview]')) {
  const shown = document.getElementById(form.dataset.preview);
  let timer;
  let last = 0;
  form.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(preview, 500);
  });

  async function preview() {
    last += 1;
    const own = last;
    const body = new URLSearchParams(new FormData(form));
    body.set('step', 'preview');
    try {
      const response = await fetch(form.action, { method: 'POST', body, headers: { accept: 'text/html' } });
      const page = new DOMParser().parseFromString(await response.text(), 'text/html');
      const found = page.getElementById(shown.id);
      // Only the answer to what is typed now, and none to a page that asks for a proof.
      if (own === last && found) shown.replaceChildren(...found.childNodes);
    } catch {
      // The button still works.
    }
  }
}
