# testbed.json: what a test has to know. tests/support reads it; its presence says that everything is up.
write_description() {
  cat >"$DIR/testbed.json.new" <<X
{
  "directory": "$DIR",
  "domain": "$DOMAIN",
  "ca_file": "$TLS/ca.pem",
  "imap": { "host": "localhost", "starttls_port": $IMAP_PORT, "tls_port": $IMAPS_PORT },
  "submission": { "host": "localhost", "starttls_port": $SUBMISSION_PORT, "tls_port": $SUBMISSIONS_PORT },
  "lmtp": { "host": "$GOOD_HOST", "port": $LMTP_PORT },
  "faulty_hosts": {
    "expired": "$EXPIRED_HOST",
    "foreign": "$FOREIGN_HOST",
    "misnamed": "$MISNAMED_HOST",
    "plain": "$PLAIN_HOST"
  },
  "openid": {
    "issuer": "$ISSUER",
    "admin_url": "http://127.0.0.1:$OPENID_ADMIN_PORT",
    "web_client": { "id": "$WEB_CLIENT", "secret": "$WEB_SECRET" },
    "native_client": { "id": "$NATIVE_CLIENT" }
  },
  "s3": { "endpoint": "http://$GOOD_HOST:$S3_PORT", "bucket": "$S3_BUCKET" },
  "postgres_url": "$(cat "$RUN/postgres.url")",
  "rabbitmq_url": "$(cat "$RUN/rabbitmq.url")",
  "users_dir": "$USERS",
  "mail_dir": "$DIR/dovecot/mail",
  "sink_dir": "$DIR/sink",
  "dovecot_conf": "$DIR/dovecot/dovecot.conf",
  "doveadm": "$BIN/doveadm",
  "rabbitmqctl": "$BIN/rabbitmqctl",
  "chromium": "/usr/bin/chromium",
  "chromedriver": "/usr/bin/chromedriver",
  "deployment_python": "$DIR/deployment/bin/python"
}
X
  mv "$DIR/testbed.json.new" "$DIR/testbed.json"
}
