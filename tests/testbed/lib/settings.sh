# Where things live and which ports they take. Everything else derives from these two.
DIR=${POSTROOM_TESTBED_DIR:-/tmp/postroom-testbed}
BASE=${POSTROOM_TESTBED_BASE:-23000}

DOMAIN=example.test
LOGS=$DIR/logs
RUN=$DIR/run
BIN=$DIR/bin
TLS=$DIR/tls
USERS=$DIR/users

IMAP_PORT=$((BASE + 143)) IMAPS_PORT=$((BASE + 993)) LMTP_PORT=$((BASE + 24))
SUBMISSION_PORT=$((BASE + 587)) SUBMISSIONS_PORT=$((BASE + 465)) SINK_PORT=$((BASE + 25))
S3_PORT=$((BASE + 900)) S3_BUCKET=postroom
OPENID_PORT=$((BASE + 80)) OPENID_ADMIN_PORT=$((BASE + 81))
OWN_POSTGRES_PORT=$((BASE + 432)) OWN_AMQP_PORT=$((BASE + 672))
OWN_EPMD_PORT=$((BASE + 369)) OWN_DIST_PORT=$((BASE + 625))

# The loopback addresses where the same servers are wrong on purpose (see lib/tls.sh).
GOOD_HOST=127.0.0.1
EXPIRED_HOST=127.0.0.2
FOREIGN_HOST=127.0.0.3
MISNAMED_HOST=127.0.0.4
PLAIN_HOST=127.0.0.5

ISSUER=http://localhost:$OPENID_PORT
WEB_CLIENT=postroom-web WEB_SECRET=postroom-web-secret
NATIVE_CLIENT=postroom-native
MAILSERVER_CLIENT=mailserver MAILSERVER_SECRET=mailserver-secret

say() { echo "testbed: $*"; }
fail() { echo "testbed: $*" >&2; exit 1; }
