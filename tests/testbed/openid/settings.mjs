// What the start script decides once, and what tests may change: for everybody or for one user.

const { env } = process;

function credentials(text) {
  const [id, secret] = text.split(':');
  return { id, secret };
}

export const environment = {
  issuer: env.OPENID_ISSUER,
  port: Number(env.OPENID_PORT),
  adminPort: Number(env.OPENID_ADMIN_PORT),
  data: env.OPENID_DATA,
  users: env.OPENID_USERS,
  web: credentials(env.OPENID_WEB_CLIENT),
  native: credentials(env.OPENID_NATIVE_CLIENT),
  mailserver: credentials(env.OPENID_MAILSERVER_CLIENT),
};

// Each setting with the test that a new value has to pass.
const isSeconds = (value) => Number.isInteger(value) && value > 0;
const oneOf = (...values) => (value) => values.includes(value);
const ALLOWED = {
  access_token_ttl: isSeconds,
  refresh_token_ttl: isSeconds,
  // strict: a spent refresh token that comes again revokes the whole grant; lenient: it keeps working, as
  // Microsoft's do; off: refreshing gives no new refresh token
  rotation: oneOf('strict', 'lenient', 'off'),
  // page: the person is asked; auto: permission is taken as given
  consent: oneOf('page', 'auto'),
  // Microsoft's tokens are one or two kilobytes: short ones would hide limits on a line's length
  token_bytes: (value) => Number.isInteger(value) && value >= 32 && value <= 3000,
};

const common = {
  access_token_ttl: 3600,
  refresh_token_ttl: 90 * 86400,
  rotation: 'strict',
  consent: 'page',
  token_bytes: 1024,
};
const overrides = new Map(); // address -> settings of that user alone

/** The settings that hold for `address`; without one, those that hold for everybody. */
export function settingsFor(address) {
  return { ...common, ...overrides.get(address?.toLowerCase()) };
}

/** Changes settings, for one user if `user` is given. Throws before anything is changed. */
export function changeSettings({ user, ...changes }) {
  for (const [name, value] of Object.entries(changes)) {
    if (!ALLOWED[name]) throw new Error(`there is no setting '${name}'; there are: ${Object.keys(ALLOWED).join(', ')}`);
    if (!ALLOWED[name](value)) throw new Error(`setting '${name}' cannot be ${JSON.stringify(value)}`);
  }
  if (user) overrides.set(user.toLowerCase(), { ...overrides.get(user.toLowerCase()), ...changes });
  else Object.assign(common, changes);
  return settingsFor(user);
}
