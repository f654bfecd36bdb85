// Reading requests and writing answers.

const LARGEST_BODY = 1_000_000;

export function readBody(request) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let size = 0;
    request.on('data', (chunk) => {
      size += chunk.length;
      if (size > LARGEST_BODY) reject(new Error('the request body is too large'));
      else chunks.push(chunk);
    });
    request.on('end', () => resolve(Buffer.concat(chunks).toString()));
    request.on('error', reject);
  });
}

export async function readForm(request) {
  return Object.fromEntries(new URLSearchParams(await readBody(request)));
}

function send(response, status, headers, body) {
  response.writeHead(status, { 'Cache-Control': 'no-store', ...headers });
  response.end(body);
}

export function sendJson(response, status, body, headers = {}) {
  send(response, status, { 'Content-Type': 'application/json', ...headers }, JSON.stringify(body));
}

export function sendHtml(response, status, html, headers = {}) {
  send(response, status, { 'Content-Type': 'text/html; charset=utf-8', ...headers }, html);
}
