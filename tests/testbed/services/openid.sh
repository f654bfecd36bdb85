# The OpenID provider: npm's oidc-provider behind Microsoft's paths, and an admin port for the tests.
packages_openid() {
  command -v node >/dev/null || echo nodejs
  command -v npm >/dev/null || echo npm
}

ports_openid() { echo "$OPENID_PORT $OPENID_ADMIN_PORT"; }

start_openid() {
  local node
  install_scripts
  node=$(node_command)
  mkdir -p "$USERS" "$DIR/openid"
  chmod 700 "$DIR/openid"
  launch openid env NODE_ENV=production \
    OPENID_ISSUER="$ISSUER" OPENID_PORT="$OPENID_PORT" OPENID_ADMIN_PORT="$OPENID_ADMIN_PORT" \
    OPENID_DATA="$DIR/openid" OPENID_USERS="$USERS" \
    OPENID_WEB_CLIENT="$WEB_CLIENT:$WEB_SECRET" OPENID_NATIVE_CLIENT="$NATIVE_CLIENT" \
    OPENID_MAILSERVER_CLIENT="$MAILSERVER_CLIENT:$MAILSERVER_SECRET" \
    "$node" "$DIR/node/openid/server.mjs"
  wait_for_port openid "$OPENID_ADMIN_PORT"
  wait_for_port openid "$OPENID_PORT"
}
