// The tests' port: JSON in, JSON out. README.md lists the calls.
import { addRedirectUri, putWebApplication } from './clients.mjs';
import { readCounts, resetCounts } from './counts.mjs';
import { addFault, findFault, listFaults, removeFaults } from './faults.mjs';
import { readBody, sendJson } from './http.mjs';
import { MAIL_SCOPES, provider } from './provider.mjs';
import { createServiceAccount } from './service_accounts.mjs';
import { changeSettings, environment, settingsFor } from './settings.mjs';
import { entriesOf, nowInSeconds, removeEntriesOf } from './storage.mjs';
import { findUser } from './users.mjs';

const REVOCABLE = {
  access: ['AccessToken'],
  refresh: ['RefreshToken'],
  // as after a change of password: nothing that was given out works any more
  all: ['AccessToken', 'RefreshToken', 'AuthorizationCode', 'Grant', 'Session'],
};

function userNamed(address) {
  const user = findUser(address);
  if (!user) throw new Error(`there is no user '${address}'`);
  return user;
}

function revoke({ user, what = 'all' }) {
  if (!REVOCABLE[what]) throw new Error(`'what' is one of ${Object.keys(REVOCABLE).join(', ')}`);
  return { removed: removeEntriesOf(userNamed(user).subject, REVOCABLE[what]) };
}

function tokensOf({ user }) {
  return entriesOf(userNamed(user).subject)
    .filter(([model]) => model === 'AccessToken' || model === 'RefreshToken')
    .map(([kind, { exp, consumed, clientId, rotations }]) => ({ kind, expires: exp, consumed: Boolean(consumed), client_id: clientId, rotations: rotations ?? 0 }));
}

/** Tokens without the login pages: for tests of what comes after them, and for many users at once. */
async function mint({ user, client_id = environment.native.id, scope, ttl }) {
  const { subject } = userNamed(user);
  const client = await provider.Client.find(client_id);
  if (!client) throw new Error(`there is no application '${client_id}'`);
  const scopes = scope ?? ['openid', 'email', 'offline_access', ...MAIL_SCOPES].join(' ');
  const grant = new provider.Grant({ accountId: subject, clientId: client_id });
  grant.addOIDCScope(scopes);
  const common = { client, accountId: subject, grantId: await grant.save(), scope: scopes, gty: 'authorization_code' };
  const access = new provider.AccessToken({ ...common, ...(ttl && { expiresIn: ttl }) });
  const refresh = new provider.RefreshToken({ ...common, authTime: nowInSeconds() });
  return { access_token: await access.save(), refresh_token: await refresh.save(), expires_in: access.expiration, token_type: 'Bearer', scope: scopes };
}

const CALLS = {
  'GET /health': () => ({ issuer: environment.issuer }),
  'GET /config': ({ user }) => settingsFor(user),
  'POST /config': changeSettings,
  'GET /faults': ({ id }) => (id ? findFault(Number(id)) ?? {} : listFaults()),
  'POST /faults': addFault,
  'DELETE /faults': removeFaults,
  'GET /counts': ({ user }) => readCounts(user),
  'DELETE /counts': ({ user }) => {
    resetCounts(user);
    return {};
  },
  'GET /tokens': tokensOf,
  'POST /revoke': revoke,
  'POST /mint': mint,
  'POST /clients': putWebApplication,
  'POST /redirect-uris': addRedirectUri,
  'POST /service-accounts': createServiceAccount,
};

/** Handles one request. */
export async function admin(request, response) {
  const url = new URL(request.url, 'http://admin');
  const call = CALLS[`${request.method} ${url.pathname}`];
  if (!call) return sendJson(response, 404, { error: `there are only: ${Object.keys(CALLS).join(', ')}` });
  try {
    const input = request.method === 'POST' ? JSON.parse((await readBody(request)) || '{}') : Object.fromEntries(url.searchParams);
    return sendJson(response, 200, await call(input));
  } catch (error) {
    return sendJson(response, 400, { error: error.message });
  }
}
