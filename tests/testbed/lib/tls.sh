# The testbed's own certificate authority, the good certificate, and three bad ones:
#   expired   right name, right authority, over since yesterday      on $EXPIRED_HOST
#   foreign   right name, an authority nobody trusts                 on $FOREIGN_HOST
#   server    the good one, on an address it does not name           on $MISNAMED_HOST

make_certificates() {
  [ -s "$TLS/complete" ] && return 0
  mkdir -p "$TLS"
  chmod 755 "$TLS"
  (
    cd "$TLS" || exit 1
    set -e
    authority ca 'Postroom testbed authority'
    authority foreign-ca 'An authority nobody trusts'
    certificate server ca 825 "DNS:localhost,DNS:mail.$DOMAIN,IP:$GOOD_HOST,IP:::1"
    certificate expired ca -1 "DNS:localhost,IP:$EXPIRED_HOST"
    certificate foreign foreign-ca 825 "DNS:localhost,IP:$FOREIGN_HOST"
    date >complete
  ) >>"$LOGS/tls.log" 2>&1 || fail "openssl could not make the certificates; see $LOGS/tls.log"
}

private_key() { # NAME
  openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
  chmod 600 "$1.key"
}

authority() { # NAME COMMON-NAME
  private_key "$1"
  openssl req -x509 -new -key "$1.key" -days 3650 -subj "/CN=$2" -out "$1.pem" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

certificate() { # NAME AUTHORITY DAYS SUBJECT-ALTERNATIVE-NAMES
  private_key "$1"
  openssl req -new -key "$1.key" -subj '/CN=Postroom testbed' -out "$1.csr"
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' "$4" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days "$3" -extfile "$1.ext" -out "$1.pem"
}
