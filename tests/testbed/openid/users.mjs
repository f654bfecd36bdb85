// Users are files, one each, named by the address and holding a passwd line. Dovecot reads the same files.
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { environment } from './settings.mjs';

const ADDRESS = /^[a-z0-9][a-z0-9._-]*@[a-z0-9.-]+$/;
const addressBySubject = new Map();

/** The opaque id the provider tells clients: always the same for an address, and a UUID as Microsoft's. */
function subjectOf(address) {
  const digest = crypto.createHash('sha256').update(address).digest('hex');
  return [digest.slice(0, 8), digest.slice(8, 12), `4${digest.slice(13, 16)}`, `8${digest.slice(17, 20)}`, digest.slice(20, 32)].join('-');
}

/** The user with this address, read anew each time, or undefined. */
export function findUser(address) {
  const key = String(address ?? '').trim().toLowerCase();
  if (!ADDRESS.test(key)) return undefined;
  let line;
  try {
    line = fs.readFileSync(path.join(environment.users, key), 'utf8');
  } catch {
    return undefined;
  }
  const [name, password, , , fullName] = line.trim().split(':');
  const subject = subjectOf(name);
  addressBySubject.set(subject, name);
  return { address: name, password: password.replace('{PLAIN}', ''), fullName, subject };
}

/** The user behind a subject. After a restart the subjects of old tokens are not known yet: look at all users once. */
export function findSubject(subject) {
  if (!addressBySubject.has(subject)) {
    for (const address of fs.readdirSync(environment.users)) findUser(address);
  }
  return findUser(addressBySubject.get(subject));
}
