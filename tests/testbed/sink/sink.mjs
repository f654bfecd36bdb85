// An SMTP server that keeps what it is given: sink.mjs PORT DIRECTORY.
// A message becomes NAME.eml (its bytes) and then NAME.json (its envelope): a .json means that both are whole.
// Recipients `bounce` (or `bounce-7`) are refused for good, `defer` for now; the submission server turns that into notices.
import fs from 'node:fs';
import path from 'node:path';
import { SMTPServer } from 'smtp-server';

const [port, directory] = process.argv.slice(2);
let sequence = 0;

function refusal(responseCode, text) {
  return Object.assign(new Error(text), { responseCode });
}

function judgeRecipient(address) {
  if (/^bounce([^a-z]|$)/i.test(address)) return refusal(550, '5.1.1 This mailbox does not exist (testbed)');
  if (/^defer([^a-z]|$)/i.test(address)) return refusal(450, '4.2.1 This mailbox is busy (testbed)');
  return undefined;
}

function keep(stream, session, done) {
  sequence += 1;
  const name = path.join(directory, `${Date.now()}-${process.pid}-${sequence}`);
  const file = fs.createWriteStream(`${name}.eml`);
  file.on('error', done);
  file.on('finish', () => {
    const { mailFrom, rcptTo } = session.envelope;
    const envelope = { from: mailFrom ? mailFrom.address : '', to: rcptTo.map((r) => r.address) };
    fs.writeFileSync(`${name}.json.new`, JSON.stringify(envelope));
    fs.renameSync(`${name}.json.new`, `${name}.json`);
    done(null, '2.0.0 kept');
  });
  stream.pipe(file);
}

const server = new SMTPServer({
  name: 'sink.example.test',
  authOptional: true,
  disabledCommands: ['AUTH', 'STARTTLS'],
  disableReverseLookup: true,
  size: 200_000_000,
  onRcptTo: ({ address }, _session, done) => done(judgeRecipient(address)),
  onData: keep,
});
server.on('error', (error) => console.error('sink:', error.message));
server.listen(Number(port), '127.0.0.1');
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
