// Making the provider fail on command. A fault waits for calls that match all it names (endpoint, grant_type, user,
// client_id) and strikes as often as it was told to; tests side by side name their own user, so that none hits another.
import crypto from 'node:crypto';
import { sendHtml, sendJson } from './http.mjs';

const LONGEST_WAIT = 120_000;

/** An error body as Microsoft writes it. */
function microsoftError(error, code, text, more = {}) {
  const trace = crypto.randomUUID();
  const correlation = crypto.randomUUID();
  const timestamp = new Date().toISOString();
  return {
    error,
    error_description: `AADSTS${code}: ${text} Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`,
    error_codes: [code],
    timestamp,
    trace_id: trace,
    correlation_id: correlation,
    ...more,
  };
}

const retryAfter = (seconds) => (seconds === undefined ? {} : { 'Retry-After': String(seconds) });

// Modes that answer in the provider's place.
const ANSWERS = {
  429: (response, fault) =>
    sendJson(response, 429, microsoftError('temporarily_unavailable', 90033, 'Too many requests. Please retry later.'), retryAfter(fault.retry_after ?? 2)),
  500: (response) => sendJson(response, 500, microsoftError('server_error', 90013, 'Internal error.')),
  503: (response, fault) =>
    sendJson(response, 503, microsoftError('temporarily_unavailable', 90033, 'A transient error has occurred. Please try again.'), retryAfter(fault.retry_after)),
  invalid_grant: (response) =>
    sendJson(response, 400, microsoftError('invalid_grant', 700082, 'The refresh token has expired due to inactivity.')),
  invalid_client: (response) =>
    sendJson(response, 401, microsoftError('invalid_client', 7000222, 'The provided client secret keys are expired.')),
  interaction_required: (response) =>
    sendJson(response, 400, microsoftError('interaction_required', 50076, 'You must use multi-factor authentication to access this resource.', { suberror: 'basic_action' })),
  consent_required: (response) =>
    sendJson(response, 400, microsoftError('invalid_grant', 65001, 'The user or administrator has not consented to use the application.', { suberror: 'consent_required' })),
  // of the device flow (RFC 8628, section 3.5)
  slow_down: (response) => sendJson(response, 400, { error: 'slow_down' }),
  expired_token: (response) =>
    sendJson(response, 400, microsoftError('expired_token', 70020, 'The provided value for the input parameter \'device_code\' is not valid. This device code has expired.')),
  html: (response) => sendHtml(response, 200, '<html><body>Sign in to the network</body></html>'),
};

// Modes that do something to the connection. `true`: the call is over; `false`: the provider answers after all.
const CONNECTION_FAULTS = {
  hang: async (request) => {
    await Promise.race([wait(LONGEST_WAIT), new Promise((resolve) => { request.socket.on('close', resolve); })]);
    request.socket.destroy();
    return true;
  },
  reset: (request) => {
    request.socket.resetAndDestroy();
    return true;
  },
  // only `delay_ms` counts
  slow: () => false,
  // The provider acts (it rotates the refresh token!) and its answer is lost on the way.
  drop_after: (request, response) => {
    response.write = () => true;
    response.end = () => { request.socket.destroy(); };
    return false;
  },
};

const MODES = [...Object.keys(ANSWERS), ...Object.keys(CONNECTION_FAULTS)];
const FILTERS = ['endpoint', 'grant_type', 'user', 'client_id'];
const wait = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

let faults = [];
let lastId = 0;

/** Sets a fault: `times` strikes (-1: until it is removed), at the token endpoint unless told otherwise. */
export function addFault({ mode, times = 1, endpoint = 'token', delay_ms = 0, retry_after, user, client_id, grant_type }) {
  if (!MODES.includes(String(mode))) throw new Error(`there is no fault '${mode}'; there are: ${MODES.join(', ')}`);
  lastId += 1;
  const fault = { id: lastId, mode: String(mode), left: times, hits: 0, endpoint, delay_ms, retry_after, user: user?.toLowerCase(), client_id, grant_type };
  faults.push(fault);
  return fault;
}

export const listFaults = () => faults;

export const findFault = (id) => faults.find((fault) => fault.id === id);

/** Removes one fault by its id, all of one user, or all. */
export function removeFaults({ id, user }) {
  const before = faults.length;
  if (id) faults = faults.filter((fault) => fault.id !== Number(id));
  else if (user) faults = faults.filter((fault) => fault.user !== user.toLowerCase());
  else faults = [];
  return { removed: before - faults.length };
}

/** Lets a waiting fault strike a call. Returns true if the call is over. */
export async function strike(call, request, response) {
  const fault = faults.find((candidate) => candidate.left !== 0 && FILTERS.every((name) => !candidate[name] || candidate[name] === call[name]));
  if (!fault) return false;
  if (fault.left > 0) fault.left -= 1;
  fault.hits += 1;
  if (fault.delay_ms) await wait(Math.min(fault.delay_ms, LONGEST_WAIT));
  if (CONNECTION_FAULTS[fault.mode]) return CONNECTION_FAULTS[fault.mode](request, response);
  ANSWERS[fault.mode](response, fault);
  return true;
}
