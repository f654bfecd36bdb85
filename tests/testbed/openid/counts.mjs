// How often which endpoint was called, by whom and with which outcome.

const empty = () => ({ total: 0, by_endpoint: {}, token: { total: 0, by_grant: {}, by_status: {} } });
const add = (counters, key) => {
  counters[key] = (counters[key] ?? 0) + 1;
};

let everybody = empty();
const byUser = new Map();

function countersFor({ user }) {
  if (!user) return [everybody];
  if (!byUser.has(user)) byUser.set(user, empty());
  return [everybody, byUser.get(user)];
}

/** Counts a call before it is answered. */
export function countCall(call) {
  for (const counters of countersFor(call)) {
    counters.total += 1;
    add(counters.by_endpoint, call.endpoint);
    if (call.endpoint !== 'token') continue;
    counters.token.total += 1;
    add(counters.token.by_grant, call.grant_type);
  }
}

/** Counts how a call to the token endpoint ended: an HTTP status, or `aborted` if the answer did not get through. */
export function countOutcome(call, status) {
  if (call.endpoint !== 'token') return;
  for (const counters of countersFor(call)) add(counters.token.by_status, status);
}

export function readCounts(user) {
  return user ? byUser.get(user.toLowerCase()) ?? empty() : everybody;
}

/** Starts again at nothing, for one user or for everybody. */
export function resetCounts(user) {
  if (user) {
    byUser.delete(user.toLowerCase());
  } else {
    everybody = empty();
    byUser.clear();
  }
}
