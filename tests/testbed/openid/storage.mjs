// Where the provider keeps grants, tokens, sessions and clients. Its own memory adapter drops all but the newest
// thousand entries, which a test with many users would notice as sign-ins that end by themselves.
import fs from 'node:fs';
import path from 'node:path';
import { environment, settingsFor } from './settings.mjs';
import { findSubject } from './users.mjs';

const FILE = path.join(environment.data, 'storage.json');
const KEPT_OVER_RESTART = new Set(['AccessToken', 'Client', 'ClientCredentials', 'Grant', 'RefreshToken', 'Session']);

const entries = new Map(); // 'Model:id' -> { payload, expires }, expires in seconds since 1970, 0 = never
const keysByGrant = new Map(); // grant id -> set of keys
const keyByUid = new Map(); // session uid -> key
const keyByUserCode = new Map(); // what a person types for a device -> key
let changed = false;

export const nowInSeconds = () => Math.floor(Date.now() / 1000);

function index(key, payload) {
  if (payload.uid) keyByUid.set(payload.uid, key);
  if (payload.userCode) keyByUserCode.set(payload.userCode, key);
  if (!payload.grantId) return;
  if (!keysByGrant.has(payload.grantId)) keysByGrant.set(payload.grantId, new Set());
  keysByGrant.get(payload.grantId).add(key);
}

function read(key) {
  const entry = entries.get(key);
  if (entry?.expires && entry.expires <= nowInSeconds()) {
    entries.delete(key);
    return undefined;
  }
  return entry?.payload;
}

function remove(key) {
  changed = true;
  return entries.delete(key);
}

/** The interface that oidc-provider asks of a store. */
export class Adapter {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload, lifetime) {
    entries.set(this.key(id), { payload, expires: lifetime ? nowInSeconds() + lifetime : 0 });
    index(this.key(id), payload);
    changed = true;
  }

  async find(id) {
    return read(this.key(id));
  }

  async findByUid(uid) {
    return read(keyByUid.get(uid));
  }

  async findByUserCode(userCode) {
    return read(keyByUserCode.get(userCode));
  }

  async destroy(id) {
    remove(this.key(id));
  }

  // A token marked as consumed is refused from then on: lenient rotation does not mark it.
  async consume(id) {
    const payload = read(this.key(id));
    if (!payload) return;
    if (this.model === 'RefreshToken' && settingsFor(findSubject(payload.accountId)?.address).rotation === 'lenient') return;
    payload.consumed = nowInSeconds();
    changed = true;
  }

  async revokeByGrantId(grantId) {
    for (const key of keysByGrant.get(grantId) ?? []) remove(key);
    keysByGrant.delete(grantId);
  }
}

/** What is stored under a token's value, whichever kind it is; undefined if there is no such token. */
export function findToken(value) {
  if (!value) return undefined;
  return ['RefreshToken', 'AccessToken', 'AuthorizationCode', 'DeviceCode'].map((model) => read(`${model}:${value}`)).find(Boolean);
}

/** All that is stored for a subject, as [model, payload] pairs. */
export function entriesOf(subject) {
  return [...entries.keys()]
    .map((key) => [key.slice(0, key.indexOf(':')), read(key)])
    .filter(([, payload]) => payload?.accountId === subject);
}

/** Removes what is stored for a subject under the given models. Returns how much that was. */
export function removeEntriesOf(subject, models) {
  const doomed = [...entries].filter(([key, { payload }]) => payload.accountId === subject && models.includes(key.slice(0, key.indexOf(':'))));
  for (const [key] of doomed) remove(key);
  return doomed.length;
}

/** Writes to disk what has to survive a restart, if anything has changed. */
export function persist() {
  if (!changed) return;
  changed = false;
  const alive = [...entries].filter(([key]) => read(key) && KEPT_OVER_RESTART.has(key.slice(0, key.indexOf(':'))));
  fs.writeFileSync(`${FILE}.new`, JSON.stringify(alive), { mode: 0o600 });
  fs.renameSync(`${FILE}.new`, FILE);
}

if (fs.existsSync(FILE)) {
  for (const [key, entry] of JSON.parse(fs.readFileSync(FILE, 'utf8'))) {
    entries.set(key, entry);
    index(key, entry.payload);
  }
}
setInterval(persist, 2000).unref();
