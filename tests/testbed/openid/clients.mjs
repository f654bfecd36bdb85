// The applications the provider knows. They live in the store, not in the configuration, so that a test can
// register the redirect address of the Postroom it has just started, or an application of its own.
import crypto from 'node:crypto';
import { environment } from './settings.mjs';
import { Adapter } from './storage.mjs';

const store = new Adapter('Client');

const PERSON_GRANTS = ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'];

const NATIVE = {
  client_id: environment.native.id,
  client_name: 'Postroom (native)',
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: PERSON_GRANTS,
  response_types: ['code'],
  // a native application may use any port of these (RFC 8252, section 7.3)
  redirect_uris: ['http://127.0.0.1/oauth/callback', 'http://[::1]/oauth/callback'],
};

const MAILSERVER = {
  client_id: environment.mailserver.id,
  client_secret: environment.mailserver.secret,
  grant_types: [],
  response_types: [],
  redirect_uris: [],
};

/** How an application proves who it is: by a secret, or by the key of a certificate. */
function proof({ client_secret, certificate }) {
  if (certificate) {
    const key = new crypto.X509Certificate(certificate).publicKey.export({ format: 'jwk' });
    return { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ ...key, use: 'sig' }] } };
  }
  // the provider takes HTTP Basic only from a client registered for it, and the form only likewise
  return { token_endpoint_auth_method: 'client_secret_post', client_secret };
}

function webApplication({ client_id, client_secret, certificate, client_name, redirect_uris = [], mail_domain, device_code_ttl }) {
  if (!client_id || !(client_secret || certificate)) {
    throw new Error('an application needs client_id and client_secret or certificate');
  }
  return {
    client_id,
    ...proof({ client_secret, certificate }),
    client_name: client_name ?? 'Postroom',
    application_type: 'web',
    // with `mail_domain` it may sign in as itself too, and opens every mailbox of that domain
    grant_types: mail_domain ? [...PERSON_GRANTS, 'client_credentials'] : PERSON_GRANTS,
    response_types: ['code'],
    // the provider insists on at least one
    redirect_uris: redirect_uris.length ? redirect_uris : ['http://127.0.0.1:1/oauth/callback'],
    ...(mail_domain && { mail_domain }),
    ...(device_code_ttl && { device_code_ttl }),
  };
}

/** Makes a web application, or replaces it. */
export async function putWebApplication(description) {
  const client = webApplication(description);
  await store.upsert(client.client_id, client);
  return client;
}

/** Lets an application be sent back to `redirect_uri` too. */
export async function addRedirectUri({ client_id = environment.web.id, redirect_uri }) {
  const client = await store.find(client_id);
  if (!client) throw new Error(`there is no application '${client_id}'`);
  const redirect_uris = [...new Set([...client.redirect_uris, new URL(redirect_uri).href])];
  await store.upsert(client_id, { ...client, redirect_uris });
  return { client_id, redirect_uris };
}

await store.upsert(NATIVE.client_id, NATIVE);
await store.upsert(MAILSERVER.client_id, MAILSERVER);
if (!(await store.find(environment.web.id))) {
  await putWebApplication({ client_id: environment.web.id, client_secret: environment.web.secret });
}
