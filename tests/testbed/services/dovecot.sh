# Dovecot: IMAP, LMTP, and SASL for Postfix. A user is one file in $USERS (a passwd line), which the OpenID
# provider reads too: whoever writes that file has made a user that both know, without a lock or a reload.
packages_dovecot() { echo dovecot-core dovecot-imapd dovecot-lmtpd; }

ports_dovecot() { echo "$IMAP_PORT $IMAPS_PORT $LMTP_PORT"; }

add_user() { # NAME PASSWORD FULL-NAME
  local home=$DIR/dovecot/mail/$1@$DOMAIN
  echo "$1@$DOMAIN:{PLAIN}$2:8:8:$3:$home::" >"$USERS/.$1"
  chmod 644 "$USERS/.$1"
  mv "$USERS/.$1" "$USERS/$1@$DOMAIN"
}

start_dovecot() {
  local home=$DIR/dovecot
  mkdir -p "$home/run" "$home/state" "$home/mail" "$USERS" "$DIR/sasl"
  chown mail:mail "$home/mail"
  chmod 755 "$USERS" "$DIR/sasl"
  add_user postmaster postmaster-password Postmaster
  add_user alice alice-password 'Alice Adams'
  add_user bob bob-password 'Bob Brown'
  dovecot_oauth2 email %u >"$home/oauth2.conf.ext"
  dovecot_oauth2 anybody %d >"$home/oauth2-application.conf.ext"
  dovecot_configuration >"$home/dovecot.conf"
  wrapper doveadm <<<"exec /usr/bin/doveadm -c $home/dovecot.conf \"\$@\""
  launch dovecot dovecot -F -c "$home/dovecot.conf"
  wait_for_port dovecot "$IMAP_PORT"
  wait_for_port dovecot "$LMTP_PORT"
}

# A token is good when the provider says so on introspection. A person's opens the mailbox of its `email` claim only; an
# application's opens every mailbox of the domain of its `anybody` claim.
dovecot_oauth2() { # CLAIM FORM_OF_USER_NAMES_TO_COMPARE
  cat <<X
introspection_mode = post
introspection_url = http://$MAILSERVER_CLIENT:$MAILSERVER_SECRET@localhost:$OPENID_PORT/oauth2/introspect
openid_configuration_url = $ISSUER/.well-known/openid-configuration
active_attribute = active
active_value = true
username_attribute = $1
username_format = $2
timeout_msecs = 5000
X
}

dovecot_configuration() {
  sed -e "s|@HOME@|$DIR/dovecot|g; s|@LOGS@|$LOGS|g; s|@TLS@|$TLS|g; s|@USERS@|$USERS|g; s|@SASL@|$DIR/sasl|g" \
    -e "s|@DOMAIN@|$DOMAIN|g; s|@IMAP_PORT@|$IMAP_PORT|g; s|@IMAPS_PORT@|$IMAPS_PORT|g; s|@LMTP_PORT@|$LMTP_PORT|g" \
    -e "s|@GOOD_HOST@|$GOOD_HOST|g; s|@EXPIRED_HOST@|$EXPIRED_HOST|g; s|@FOREIGN_HOST@|$FOREIGN_HOST|g" \
    -e "s|@MISNAMED_HOST@|$MISNAMED_HOST|g; s|@PLAIN_HOST@|$PLAIN_HOST|g" "$HERE/services/dovecot.conf"
}
