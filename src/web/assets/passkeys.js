// The button of a form with `data-passkey` asks for a passkey, and sends the answer as the field `credential` of the form.
//
// data-passkey    the address that gives the options, by POST: to use a passkey or to make one
// data-autofill   offers passkeys in the field of the user name
// data-unknown    the answer of a passkey that the server does not have
//
// A form, or a part of the page around it, may be hidden: it is shown where passkeys work.

/** The domain that passkeys belong to, what to tell the user in the language of the page, and which passkeys a signed-in user has. */
const { domain, cancelled, known, failed, signal } = document.currentScript.dataset;

/** In milliseconds. A challenge is good for five minutes, and autofill waits for as long as the page is open. */
const renewal = 4 * 60 * 1000;

const works =
  window.PublicKeyCredential?.parseRequestOptionsFromJSON !== undefined &&
  `.${location.hostname}`.endsWith(`.${domain}`);

/** A browser asks for one passkey at a time. */
let asking = new AbortController();

for (const form of document.querySelectorAll('[data-passkey]')) {
  const { autofill, unknown } = form.dataset;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    tell(form, '');
    try {
      await ask(form);
    } catch ({ name }) {
      // Another question came first.
      if (name === 'AbortError') return;
      tell(form, name === 'NotAllowedError' ? cancelled : name === 'InvalidStateError' ? known : failed);
      if (autofill !== undefined) offer(form);
    }
  });
  if (!works) continue;
  form.closest('[hidden]')?.removeAttribute('hidden');
  if (unknown !== undefined) forget(JSON.parse(unknown).id);
  if (autofill !== undefined) offer(form);
}

// The browser then offers no removed passkey, and shows the present name of the user.
if (works && signal !== undefined) {
  const { name, displayName, allAcceptedCredentialIds, ...user } = JSON.parse(signal);
  PublicKeyCredential.signalAllAcceptedCredentials?.({ ...user, allAcceptedCredentialIds }).catch(() => {});
  PublicKeyCredential.signalCurrentUserDetails?.({ ...user, name, displayName }).catch(() => {});
}

/** Asks for a passkey, and sends the form. */
async function ask(form, mediation) {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  const headers = { 'x-expected-format': 'application/json', 'content-type': 'application/json' };
  const answer = await fetch(form.dataset.passkey, { method: 'POST', headers, body: '{}', signal });
  // The answer to the form is a page that tells what is the matter, such as a session that has ended.
  if (!answer.ok && mediation === undefined) return form.submit();
  const options = await answer.json();
  const credential =
    'user' in options
      ? await navigator.credentials.create({
          publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options),
          signal,
        })
      : await navigator.credentials.get({
          publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options),
          signal,
          mediation,
        });
  form.elements.credential.value = JSON.stringify(credential);
  form.submit();
}

/** Lets the user choose a passkey in the field of the user name. */
async function offer(form) {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  const renewing = setTimeout(offer, renewal, form);
  // Without a passkey, or if the button comes first, there is nothing to tell.
  await ask(form, 'conditional').catch(() => {});
  clearTimeout(renewing);
}

/** Lets the browser forget a passkey that works nowhere. */
function forget(credentialId) {
  PublicKeyCredential.signalUnknownCredential?.({ rpId: domain, credentialId }).catch(() => {});
}

function tell(form, text) {
  let message = form.querySelector('[role=alert]');
  if (message === null) {
    message = document.createElement('p');
    message.className = 'message alarming';
    message.setAttribute('role', 'alert');
    form.append(message);
  }
  message.textContent = text;
  message.hidden = text === '';
}
