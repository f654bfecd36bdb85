// Service accounts as Google has them: whoever holds the key signs that it acts for one mailbox, and gets an access
// token for it (RFC 7523, section 2.1). A stand-in: oidc-provider does not know this grant.
import crypto from 'node:crypto';
import { MAIL_SCOPES, TENANT, provider } from './provider.mjs';
import { environment } from './settings.mjs';
import { nowInSeconds } from './storage.mjs';
import { findUser } from './users.mjs';

export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const TOKEN_URI = `${environment.issuer}/${TENANT}/oauth2/v2.0/token`;
const LONGEST_LIFE = 3600;
const CLOCK_SKEW = 60;

const accounts = new Map(); // address -> { publicKey, keyId, delegated }

/** Makes a service account. Gives the JSON key that Google gives; `delegated`: whether the organization allows it. */
export function createServiceAccount({ delegated = true }) {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keyId = crypto.randomBytes(20).toString('hex');
  const address = `postroom-${keyId.slice(0, 8)}@testbed.iam.gserviceaccount.com`;
  accounts.set(address, { publicKey, keyId, delegated });
  return {
    type: 'service_account',
    project_id: 'testbed',
    private_key_id: keyId,
    private_key: privateKey.export({ format: 'pem', type: 'pkcs8' }),
    client_email: address,
    client_id: keyId.slice(0, 21),
    token_uri: TOKEN_URI,
  };
}

function decode(part) {
  return JSON.parse(Buffer.from(part, 'base64url').toString());
}

/** The mailbox that an assertion names, before anything of it is checked. */
export function subjectOfAssertion(assertion) {
  try {
    return decode(assertion.split('.')[1]).sub;
  } catch {
    return undefined;
  }
}

const refusal = (error, error_description) => ({ status: 400, body: { error, error_description } });

/** What is wrong with an assertion, in Google's words; undefined if it is good. */
function fault(assertion) {
  const [head, payload, signature] = assertion.split('.');
  const [header, claims] = [decode(head), decode(payload)];
  const account = accounts.get(claims.iss);
  if (!account) return refusal('invalid_grant', 'Invalid grant: account not found');
  const genuine = header.alg === 'RS256' && header.kid === account.keyId
    && crypto.verify('RSA-SHA256', Buffer.from(`${head}.${payload}`), account.publicKey, Buffer.from(signature, 'base64url'));
  if (!genuine) return refusal('invalid_grant', 'Invalid JWT Signature.');
  const now = nowInSeconds();
  const timely = claims.iat <= now + CLOCK_SKEW && claims.exp > now && claims.exp - claims.iat <= LONGEST_LIFE;
  if (!timely) {
    return refusal('invalid_grant', 'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.');
  }
  if (claims.aud !== TOKEN_URI) return refusal('invalid_grant', 'Invalid JWT: Failed audience check.');
  if (!claims.scope) return refusal('invalid_scope', 'Invalid OAuth scope or ID token audience provided.');
  if (!account.delegated) {
    return refusal('unauthorized_client', 'Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.');
  }
  return findUser(claims.sub) ? undefined : refusal('invalid_grant', 'Invalid email or User ID');
}

/** Answers `grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer`: a status and a body. */
export async function answerAssertion(assertion) {
  let refused;
  try {
    refused = fault(assertion);
  } catch {
    refused = refusal('invalid_request', 'Bad Request');
  }
  if (refused) return refused;
  const { subject } = findUser(subjectOfAssertion(assertion));
  const client = await provider.Client.find(environment.native.id);
  const scope = MAIL_SCOPES.join(' ');
  const grant = new provider.Grant({ accountId: subject, clientId: client.clientId });
  grant.addOIDCScope(scope);
  const token = new provider.AccessToken({ client, accountId: subject, grantId: await grant.save(), scope, gty: 'authorization_code' });
  return { status: 200, body: { access_token: await token.save(), expires_in: token.expiration, token_type: 'Bearer' } };
}
