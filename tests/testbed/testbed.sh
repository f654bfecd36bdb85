#!/bin/bash
# The mail world the tests talk to: real servers on loopback, on Debian 12, as root, without systemd.
#
#   testbed.sh up [service...]      install what is missing, start what is not running
#   testbed.sh down [service...]    stop what this script started, and nothing else
#   testbed.sh status               one line per service; exits 1 if one is not answering
#
# POSTROOM_TESTBED_DIR   where everything lives (default /tmp/postroom-testbed; keep it short: unix sockets)
# POSTROOM_TESTBED_BASE  the first port (default 23000); lib/settings.sh has the offsets
set -u -o pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for part in settings process packages tls description; do . "$HERE/lib/$part.sh"; done
SERVICES=(postgres rabbitmq openid dovecot sink postfix chromium deployment s3)
for service in "${SERVICES[@]}"; do . "$HERE/services/$service.sh"; done

# Two `up` at once would install and start everything twice: the second waits for the first.
lock() {
  exec 9>"$DIR/lock"
  flock -w 900 9 || fail "another testbed command has held $DIR/lock for 15 minutes"
}

# start_one SERVICE: in a subshell with errexit, so that a service file reads as a list of steps.
start_one() (
  exec 9>&-
  set -e
  "start_$1"
)

up() {
  [ "$(id -u)" = 0 ] || fail "this needs root: it installs packages and starts servers under their own users"
  mkdir -p "$DIR" "$LOGS" "$RUN" "$BIN"
  chmod 755 "$DIR" "$LOGS" "$RUN" "$BIN"
  lock
  local service pid failed=() pids=()
  install_packages "$@"
  make_certificates
  for service in "$@"; do
    running "$service" && continue
    start_one "$service" &
    pids+=("$!:$service")
  done
  for pid in ${pids[@]+"${pids[@]}"}; do
    wait "${pid%%:*}" || failed+=("${pid#*:}")
  done
  [ ${#failed[@]} = 0 ] || fail "did not start: ${failed[*]}; the reason is in $LOGS"
  if everything_answers; then
    write_description
    say "up; addresses and accounts are in $DIR/testbed.json"
  fi
}

everything_answers() {
  local service port
  for service in "${SERVICES[@]}"; do
    for port in $("ports_$service"); do listening "$port" || return 1; done
  done
}

down() {
  [ -d "$DIR" ] || return 0
  lock
  rm -f "$DIR/testbed.json"
  local service
  for service in "$@"; do
    (
      exec 9>&-
      if declare -F "stop_$service" >/dev/null; then "stop_$service"; else stop "$service"; fi
    ) &
  done
  wait
}

status() {
  local service port state answers all=0
  for service in "${SERVICES[@]}"; do
    answers=""
    for port in $("ports_$service"); do
      if listening "$port"; then answers+=" $port"; else answers+=" $port(closed)"; all=1; fi
    done
    state="-"
    running "$service" && state="pid $(recorded_pid "$service")"
    printf '%-10s %-12s%s\n' "$service" "$state" "$answers"
  done
  [ -s "$DIR/testbed.json" ] || { say "no $DIR/testbed.json: run 'cargo xtask testbed up'"; all=1; }
  return $all
}

command=${1:-}
[ $# -gt 0 ] && shift
case $command in up | down | status) ;; *) sed -n '2,9p' "${BASH_SOURCE[0]}" >&2; exit 2 ;; esac
[ $# -gt 0 ] || set -- "${SERVICES[@]}"
for service in "$@"; do
  [[ " ${SERVICES[*]} " == *" $service "* ]] || fail "there is no service '$service'; there are: ${SERVICES[*]}"
done
"$command" "$@"
