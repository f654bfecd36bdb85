// Every request of the public port: recognised, counted, struck by a fault if one waits for it, then answered.
import { countCall, countOutcome } from './counts.mjs';
import { strike } from './faults.mjs';
import { readBody, sendJson } from './http.mjs';
import { serveInteraction } from './pages.mjs';
import { TENANT, provider } from './provider.mjs';
import { JWT_BEARER, answerAssertion, subjectOfAssertion } from './service_accounts.mjs';
import { environment } from './settings.mjs';
import { findToken } from './storage.mjs';
import { findSubject } from './users.mjs';
import './clients.mjs';

const DISCOVERY = '/.well-known/openid-configuration';
const ENDPOINTS = {
  [`/${TENANT}/oauth2/v2.0/token`]: 'token',
  [`/${TENANT}/oauth2/v2.0/authorize`]: 'authorize',
  [`/${TENANT}/oauth2/v2.0/devicecode`]: 'device',
  [`/${TENANT}/discovery/v2.0/keys`]: 'jwks',
  '/oauth2/introspect': 'introspect',
  '/oauth2/revoke': 'revoke',
  '/oidc/userinfo': 'userinfo',
  [DISCOVERY]: 'discovery',
};
const WITH_FORM = new Set(['token', 'device', 'introspect', 'revoke']);
const answer = provider.callback();

/** The user a form or a query is about: the owner of the token or code in it, or the one it names. */
function userOf(fields) {
  if (fields.assertion) return subjectOfAssertion(fields.assertion)?.toLowerCase();
  const token = findToken(fields.refresh_token ?? fields.code ?? fields.device_code ?? fields.token);
  return (token ? findSubject(token.accountId)?.address : fields.login_hint)?.toLowerCase();
}

function clientOf(fields, request) {
  if (fields.client_id) return fields.client_id;
  const basic = /^Basic (.+)$/i.exec(request.headers.authorization ?? '');
  return basic ? decodeURIComponent(Buffer.from(basic[1], 'base64').toString().split(':')[0]) : undefined;
}

/** What a request is: its endpoint, and for whom. Reads the body where there is a form; the provider takes it as read. */
async function recognise(request, url) {
  const endpoint = ENDPOINTS[url.pathname] ?? 'other';
  let fields = Object.fromEntries(url.searchParams);
  if (request.method === 'POST' && WITH_FORM.has(endpoint)) {
    request.body = await readBody(request);
    fields = Object.fromEntries(new URLSearchParams(request.body));
  }
  const { grant_type, assertion } = fields;
  return { endpoint, grant_type, assertion, user: userOf(fields), client_id: clientOf(fields, request) };
}

// Microsoft gives a refresh token for `offline_access` alone; oidc-provider wants `prompt=consent` beside it, and
// drops the scope without a word otherwise.
function askForConsent(request, url) {
  const prompt = url.searchParams.get('prompt') ?? '';
  if (!/\boffline_access\b/.test(url.searchParams.get('scope') ?? '') || /none|consent/.test(prompt)) return;
  url.searchParams.set('prompt', `${prompt} consent`.trim());
  request.url = url.pathname + url.search;
}

/** Handles one request. */
export async function front(request, response) {
  try {
    const url = new URL(request.url, environment.issuer);
    if (url.pathname.startsWith('/interaction/')) return await serveInteraction(request, response);
    if (url.pathname === `/${TENANT}/v2.0${DISCOVERY}`) {
      url.pathname = DISCOVERY;
      request.url = DISCOVERY;
    }
    const call = await recognise(request, url);
    countCall(call);
    response.on('close', () => countOutcome(call, response.writableFinished ? response.statusCode : 'aborted'));
    if (await strike(call, request, response)) return undefined;
    if (call.grant_type === JWT_BEARER) {
      const { status, body } = await answerAssertion(call.assertion ?? '');
      return sendJson(response, status, body);
    }
    if (call.endpoint === 'authorize') askForConsent(request, url);
    return await answer(request, response);
  } catch (error) {
    console.error('front:', error);
    request.socket.destroy();
    return undefined;
  }
}
