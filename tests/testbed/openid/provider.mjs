// oidc-provider with Microsoft's paths, scopes and habits.
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Provider, interactionPolicy } from 'oidc-provider';
import { environment, settingsFor } from './settings.mjs';
import { Adapter } from './storage.mjs';
import { findSubject } from './users.mjs';
import { devicePages, renderFailure } from './html.mjs';

export const TENANT = 'common';
export const MAIL_SCOPES = ['https://outlook.office.com/IMAP.AccessAsUser.All', 'https://outlook.office.com/SMTP.Send'];

// One more token size for every kind that travels to the mail server; codes and sessions stay short.
const LONG_LIVED_KINDS = /^(AccessToken|ClientCredentials|RefreshToken)$/;
// Dovecot takes an absent claim for a failure of the provider.
const NOBODY = 'nobody@nowhere.invalid';
// What an application asks for that signs in as itself.
const APP_SCOPES = ['https://outlook.office365.com/.default'];

/** The signing key, made on the first start and kept, so that ID tokens stay verifiable over a restart. */
function signingKeys() {
  const file = path.join(environment.data, 'keys.json');
  if (!fs.existsSync(file)) {
    const { privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
    const key = { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: crypto.randomUUID() };
    fs.writeFileSync(file, JSON.stringify({ keys: [key] }), { mode: 0o600 });
  }
  return JSON.parse(fs.readFileSync(file, 'utf8'));
}

/** Microsoft's policy has one step more: `prompt=select_account`. */
function interactions() {
  const policy = interactionPolicy.base();
  policy.add(new interactionPolicy.Prompt({ name: 'select_account', requestable: true }), 0);
  return { policy, url: (_context, interaction) => `/interaction/${interaction.uid}` };
}

const settingsOf = (token) => settingsFor(findSubject(token?.accountId)?.address);

function claimsOf({ subject, address, fullName }) {
  return { sub: subject, oid: subject, tid: TENANT, email: address, email_verified: true, name: fullName, preferred_username: address };
}

const keys = signingKeys();

export const provider = new Provider(environment.issuer, {
  adapter: Adapter,
  jwks: keys,
  cookies: { keys: [keys.keys[0].kid] },
  clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  extraClientMetadata: { properties: ['mail_domain', 'device_code_ttl'] },
  routes: {
    authorization: `/${TENANT}/oauth2/v2.0/authorize`,
    token: `/${TENANT}/oauth2/v2.0/token`,
    device_authorization: `/${TENANT}/oauth2/v2.0/devicecode`,
    code_verification: `/${TENANT}/oauth2/deviceauth`,
    end_session: `/${TENANT}/oauth2/v2.0/logout`,
    jwks: `/${TENANT}/discovery/v2.0/keys`,
    userinfo: '/oidc/userinfo',
    introspection: '/oauth2/introspect',
    revocation: '/oauth2/revoke',
  },
  scopes: ['openid', 'offline_access', 'profile', 'email', ...MAIL_SCOPES, ...APP_SCOPES, 'https://mail.google.com/'],
  claims: { openid: ['sub', 'oid', 'tid'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false, // the claims of the scopes stand in the ID token itself, as Microsoft's do
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true, ...devicePages },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: { enabled: false },
  },
  pkce: { required: () => true },
  interactions: interactions(),
  rotateRefreshToken: (context) => settingsOf(context.oidc.entities.RefreshToken).rotation !== 'off',
  ttl: {
    AccessToken: (_context, token) => settingsOf(token).access_token_ttl,
    RefreshToken: (_context, token) => settingsOf(token).refresh_token_ttl,
    ClientCredentials: () => settingsFor().access_token_ttl,
    DeviceCode: (_context, _token, client) => client.device_code_ttl ?? 900,
    Grant: (_context, grant) => settingsOf(grant).refresh_token_ttl,
    AuthorizationCode: 60,
    IdToken: 3600,
    Interaction: 3600,
    Session: 86400,
  },
  formats: {
    bitsOfOpaqueRandomness: (_context, token) => (LONG_LIVED_KINDS.test(token?.kind ?? token?.constructor?.name) ? 8 * settingsOf(token).token_bytes : 256),
  },
  // told on introspection: Dovecot opens the mailbox `email`, and to an application every mailbox of `anybody`'s domain
  extraTokenClaims: (context, token) => ({
    email: findSubject(token.accountId)?.address ?? NOBODY,
    anybody: token.accountId ? NOBODY : `anybody@${context.oidc.client.mail_domain}`,
  }),
  findAccount: (_context, subject) => {
    const user = findSubject(subject);
    return user && { accountId: subject, claims: async () => claimsOf(user) };
  },
  renderError: renderFailure,
});

provider.on('server_error', (_context, error) => console.error('server_error', error));
