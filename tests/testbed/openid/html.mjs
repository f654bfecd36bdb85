// How the provider's pages look. Buttons and fields have ids and names so that a test can find them.

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text) => String(text ?? '').replace(/[&<>"']/g, (character) => ESCAPES[character]);

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#eef1f5;color:#1b1b1b}
main{max-width:26rem;margin:10vh auto;padding:2rem;background:#fff;border-radius:8px;box-shadow:0 2px 8px #0002}
h1{font-size:1.4rem;margin:0 0 1rem}label{display:block;margin:1rem 0 .25rem}
input{width:100%;box-sizing:border-box;padding:.5rem;font:inherit}
button{margin:1.5rem .5rem 0 0;padding:.5rem 1.25rem;font:inherit}[role=alert]{color:#a4262c}`;

function page(title, body) {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title><style>${STYLE}</style></head>
<body><main><h1>${escape(title)}</h1>
${body}
</main></body>
</html>
`;
}

/** The page that asks who is there. */
export function loginPage({ login, refused }) {
  const alert = refused ? '<p id="error" role="alert">Your account or password is incorrect.</p>' : '';
  return page('Sign in', `${alert}<form method="post">
  <label for="login">Email address</label>
  <input id="login" name="login" type="email" autocomplete="username" required value="${escape(login)}">
  <label for="password">Password</label>
  <input id="password" name="password" type="password" autocomplete="current-password" required>
  <button id="sign-in" type="submit" name="action" value="sign-in">Sign in</button>
  <button id="cancel" type="submit" name="action" value="cancel" formnovalidate>Cancel</button>
</form>`);
}

const MEANING = {
  openid: 'Sign you in',
  email: 'View your email address',
  profile: 'View your basic profile',
  offline_access: 'Maintain access to data you have given it access to',
  'https://outlook.office.com/IMAP.AccessAsUser.All': 'Read and write access to mailboxes via IMAP',
  'https://outlook.office.com/SMTP.Send': 'Send emails from mailboxes using SMTP AUTH',
};

/** The page that asks for permission. */
export function consentPage({ application, address, scopes }) {
  const items = scopes.map((scope) => `<li>${escape(MEANING[scope] ?? scope)}</li>`).join('\n    ');
  return page('Permission requested', `<p><strong>${escape(application)}</strong> would like to, for <strong>${escape(address)}</strong>:</p>
  <ul id="scopes">
    ${items}
  </ul>
<form method="post">
  <button id="accept" type="submit" name="action" value="accept">Accept</button>
  <button id="cancel" type="submit" name="action" value="cancel">Cancel</button>
</form>`);
}

/** The page for a request that cannot be sent back to the application, such as one with an unknown redirect. */
export function failurePage({ error, error_description: description }) {
  return page('Sign-in is not possible', `<p id="error" role="alert">${escape(error)}: ${escape(description)}</p>`);
}

/** oidc-provider's pages for signing in on another device; `form` is its own, without a button. */
export const devicePages = {
  userCodeInputSource: (context, form, _out, error) => {
    const alert = error ? '<p id="error" role="alert">That code does not work.</p>' : '';
    context.body = page('Enter code', `${alert}<p>Enter the code that is shown on your device.</p>${form}
  <button id="next" type="submit" form="op.deviceInputForm">Next</button>`);
  },
  userCodeConfirmSource: (context, form, client, _device, code) => {
    context.body = page('Confirm code', `<p><strong>${escape(client.clientName)}</strong> shows the code <strong>${escape(code)}</strong>?</p>${form}
  <button id="confirm" type="submit" form="op.deviceConfirmForm">Continue</button>`);
  },
  successSource: (context) => {
    context.body = page('Signed in', '<p id="signed-in">You can close this page and go back to your device.</p>');
  },
};

/** oidc-provider's `renderError`. */
export function renderFailure(context, details) {
  context.type = 'html';
  context.body = failurePage(details);
}
