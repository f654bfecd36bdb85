# Postfix: the submission server. It asks Dovecot who may send, hands local mail to Dovecot by LMTP and
# everything else to the sink. Some recipients are refused on purpose; README.md lists them.
packages_postfix() { echo postfix libsasl2-modules; }

ports_postfix() { echo "$SUBMISSION_PORT $SUBMISSIONS_PORT"; }

# What may follow a special recipient's name: `reject-7` is special, `rejected` is an ordinary user.
DETAIL='([^a-z@][^@]*)?'

start_postfix() {
  local home=$DIR/postfix
  mkdir -p "$home/etc" "$home/spool" "$home/data"
  chown postfix "$home/data"
  postfix_main >"$home/etc/main.cf"
  postfix_master >"$home/etc/master.cf"
  postfix_refused_recipients >"$home/etc/refused_recipients"
  postfix_refused_data >"$home/etc/refused_data"
  # Accepted here, refused by the next hop: that is what makes a bounce that comes later.
  echo "/^(bounce|defer)$DETAIL@/ smtp:[127.0.0.1]:$SINK_PORT" >"$home/etc/transport"
  # A person may send as their own address, with or without +detail.
  echo '/^([^+@]+)(\+[^@]*)?(@.*)$/ $1$3' >"$home/etc/sender_owners"
  postfix -c "$home/etc" start >>"$LOGS/postfix.log" 2>&1
  wait_for_port postfix "$SUBMISSION_PORT"
  record postfix "$(tr -d ' ' <"$home/spool/pid/master.pid")"
}

postfix_main() {
  cat <<X
compatibility_level = 3.6
queue_directory = $DIR/postfix/spool
data_directory = $DIR/postfix/data
maillog_file = $LOGS/postfix.log
maillog_file_prefixes = $DIR
inet_interfaces = $GOOD_HOST
inet_protocols = ipv4
myhostname = mail.$DOMAIN
mydomain = $DOMAIN
myorigin = $DOMAIN
mydestination =
mynetworks =
local_recipient_maps =
alias_maps =
alias_database =
recipient_delimiter = +

# Nothing leaves the machine: no DNS, and one next hop for everything that is not ours.
smtp_dns_support_level = disabled
relayhost = [127.0.0.1]:$SINK_PORT
virtual_mailbox_domains = $DOMAIN
virtual_transport = lmtp:inet:$GOOD_HOST:$LMTP_PORT
transport_maps = regexp:$DIR/postfix/etc/transport

smtpd_sasl_type = dovecot
smtpd_sasl_path = $DIR/sasl/auth
smtpd_sasl_security_options = noanonymous
smtpd_tls_cert_file = $TLS/server.pem
smtpd_tls_key_file = $TLS/server.key
smtpd_tls_auth_only = yes
smtpd_sender_login_maps = regexp:$DIR/postfix/etc/sender_owners
smtpd_peername_lookup = no
message_size_limit = 36700160
mailbox_size_limit = 0

# Many tests from one address: no slowing down, no limit per client.
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
default_process_limit = 200

# Times short enough to wait for: a delayed message warns after 15 s and fails after 40 s.
queue_run_delay = 5s
minimal_backoff_time = 5s
maximal_backoff_time = 10s
maximal_queue_lifetime = 40s
bounce_queue_lifetime = 40s
delay_warning_time = 15s
confirm_delay_cleared = no
X
}

postfix_refused_recipients() {
  cat <<X
/^reject$DETAIL@/    550 5.1.1 Recipient rejected by the testbed
/^tempfail$DETAIL@/  450 4.2.1 Mailbox temporarily unavailable (testbed)
/^quota$DETAIL@/     452 4.2.2 Mailbox full (testbed)
/^toomany$DETAIL@/   550 5.7.233 SubmissionQuotaExceededException; too many recipients today (testbed)
/^hangup$DETAIL@/    421 4.7.0 Try again later, closing connection (testbed)
X
}

# Looked at after the message itself; Postfix names the recipient then only if there is just one.
postfix_refused_data() {
  cat <<X
/^data-reject$DETAIL@/    554 5.7.1 Message refused by the testbed
/^data-tempfail$DETAIL@/  451 4.3.0 Message refused for now by the testbed
X
}

# submission ADDRESS:PORT NAME OPTIONS...
submission() {
  local etc=$DIR/postfix/etc
  echo "$1 inet n - n - - smtpd -o syslog_name=$2" \
    "-o smtpd_sasl_auth_enable=yes" \
    "-o smtpd_relay_restrictions=permit_sasl_authenticated,reject" \
    "-o smtpd_recipient_restrictions=reject_sender_login_mismatch,check_recipient_access,regexp:$etc/refused_recipients,permit_sasl_authenticated,reject" \
    "-o smtpd_end_of_data_restrictions=check_recipient_access,regexp:$etc/refused_data" \
    "${@:3}"
}

# both_submissions HOST CERTIFICATE: STARTTLS and implicit TLS
both_submissions() {
  local certificate=(-o "smtpd_tls_cert_file=$TLS/$2.pem" -o "smtpd_tls_key_file=$TLS/$2.key")
  submission "$1:$SUBMISSION_PORT" submission -o smtpd_tls_security_level=encrypt "${certificate[@]}"
  submission "$1:$SUBMISSIONS_PORT" submissions -o smtpd_tls_wrappermode=yes "${certificate[@]}"
}

postfix_master() {
  both_submissions "$GOOD_HOST" server
  both_submissions "$EXPIRED_HOST" expired
  both_submissions "$FOREIGN_HOST" foreign
  both_submissions "$MISNAMED_HOST" server
  submission "$PLAIN_HOST:$SUBMISSION_PORT" plain -o smtpd_tls_security_level=none -o smtpd_tls_auth_only=no
  cat <<'X'
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
X
}
