// A certified OpenID provider (npm oidc-provider) that looks like Microsoft's, with a port beside it on which
// tests set what it should do. `front` sees every request first, `admin` is the tests' port.
import http from 'node:http';
import { admin } from './admin.mjs';
import { front } from './front.mjs';
import { environment } from './settings.mjs';
import { persist } from './storage.mjs';

function listen(handler, port) {
  const server = http.createServer(handler);
  // Longer than any client keeps an idle connection, so that no request meets a connection just being closed.
  server.keepAliveTimeout = 120_000;
  server.listen(port, '127.0.0.1');
}

listen(front, environment.port);
listen(admin, environment.adminPort);
console.log(`issuer ${environment.issuer}`);

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    persist();
    process.exit(0);
  });
}
