# An S3-compatible object store: PyPI's moto, in memory. It keeps no secret: every key is accepted.
packages_s3() { echo curl python3-venv; }

ports_s3() { echo "$S3_PORT"; }

start_s3() {
  local venv=$DIR/s3
  if [ ! -e "$venv/installed" ]; then
    python3 -m venv "$venv" >>"$LOGS/pip.log" 2>&1
    "$venv/bin/pip" install -q --disable-pip-version-check 'moto[server]==5.2.5' >>"$LOGS/pip.log" 2>&1
    date >"$venv/installed"
  fi
  launch s3 "$venv/bin/moto_server" -H "$GOOD_HOST" -p "$S3_PORT"
  wait_for_port s3 "$S3_PORT"
  curl -sS -o /dev/null --fail -X PUT "http://$GOOD_HOST:$S3_PORT/$S3_BUCKET"
}
