# RabbitMQ: the machine's own on port 5672 if we may administer it, else one with its data in $DIR/rabbitmq.
# Tests make and delete their own virtual hosts through $BIN/rabbitmqctl, as one user.
RABBITMQ_USER=postroom-testbed
RABBITMQ_PASSWORD=postroom-testbed

packages_rabbitmq() { echo rabbitmq-server; }

ports_rabbitmq() {
  if running rabbitmq; then echo "$OWN_AMQP_PORT"; else echo 5672; fi
}

start_rabbitmq() {
  # Each rabbitmqctl costs a second or two: once the user has been made, a listening broker is enough.
  [ -s "$RUN/rabbitmq.url" ] && listening 5672 && return 0
  local port=5672
  wrapper rabbitmqctl <<<'exec /usr/sbin/rabbitmqctl -q "$@"'
  if ! { listening $port && make_rabbitmq_user; }; then
    port=$OWN_AMQP_PORT
    start_own_rabbitmq
    make_rabbitmq_user
  fi
  echo "amqp://$RABBITMQ_USER:$RABBITMQ_PASSWORD@127.0.0.1:$port" >"$RUN/rabbitmq.url"
}

make_rabbitmq_user() {
  {
    "$BIN/rabbitmqctl" authenticate_user "$RABBITMQ_USER" "$RABBITMQ_PASSWORD" ||
      "$BIN/rabbitmqctl" add_user "$RABBITMQ_USER" "$RABBITMQ_PASSWORD"
  } >>"$LOGS/rabbitmq.log" 2>&1
}

# An epmd of its own keeps this node apart from any other Erlang on the machine.
start_own_rabbitmq() {
  local home=$DIR/rabbitmq
  mkdir -p "$home"
  chown rabbitmq "$home"
  printf 'listeners.tcp.1 = 127.0.0.1:%s\nlog.file.level = info\n' "$OWN_AMQP_PORT" >"$home/rabbitmq.conf"
  echo '[].' >"$home/enabled_plugins"
  cat >"$home/environment" <<X
export HOME=$home LANG=C.UTF-8 RABBITMQ_NODENAME=postroom-testbed@localhost
export RABBITMQ_MNESIA_BASE=$home/data RABBITMQ_LOG_BASE=$home/log RABBITMQ_PID_FILE=$home/pid
export RABBITMQ_CONFIG_FILE=$home/rabbitmq.conf RABBITMQ_CONF_ENV_FILE=$home/none
export RABBITMQ_ENABLED_PLUGINS_FILE=$home/enabled_plugins RABBITMQ_DIST_PORT=$OWN_DIST_PORT
export ERL_EPMD_PORT=$OWN_EPMD_PORT ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
X
  wrapper rabbitmqctl <<X
. $home/environment
cd $home
exec setpriv --reuid rabbitmq --regid rabbitmq --init-groups /usr/lib/rabbitmq/bin/rabbitmqctl -q "\$@"
X
  . "$home/environment"
  cd "$home"
  launch rabbitmq setpriv --reuid rabbitmq --regid rabbitmq --init-groups /usr/lib/rabbitmq/bin/rabbitmq-server
  wait_for_port rabbitmq "$OWN_AMQP_PORT" 90
}

stop_rabbitmq() {
  local vhost
  if running rabbitmq; then
    stop rabbitmq
    ERL_EPMD_PORT=$OWN_EPMD_PORT epmd -kill >/dev/null 2>&1
  elif [ -s "$RUN/rabbitmq.url" ]; then
    for vhost in $("$BIN/rabbitmqctl" list_vhosts name 2>/dev/null | grep '^postroom-test-'); do
      "$BIN/rabbitmqctl" delete_vhost "$vhost" >>"$LOGS/rabbitmq.log" 2>&1
    done
  fi
  rm -f "$RUN/rabbitmq.url"
}
