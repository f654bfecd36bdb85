# The sink: where mail to other domains ends, so that nothing leaves the machine.
packages_sink() { packages_openid; }

ports_sink() { echo "$SINK_PORT"; }

start_sink() {
  local node
  install_scripts
  node=$(node_command)
  mkdir -p "$DIR/sink"
  launch sink env NODE_ENV=production "$node" "$DIR/node/sink/sink.mjs" "$SINK_PORT" "$DIR/sink"
  wait_for_port sink "$SINK_PORT"
}
