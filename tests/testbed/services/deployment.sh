# What reads compose files and manifests without a container engine: docker-compose, kubectl, and a validator with
# Kubernetes' own schemas. Packages only.
packages_deployment() {
  echo docker-compose python3-venv
  command -v kubectl >/dev/null || echo kubernetes-client
}

ports_deployment() { :; }

start_deployment() {
  local venv=$DIR/deployment
  [ -e "$venv/installed" ] && return 0
  python3 -m venv "$venv" >>"$LOGS/pip.log" 2>&1
  "$venv/bin/pip" install -q --disable-pip-version-check kubernetes-validate==1.33.1 pyyaml >>"$LOGS/pip.log" 2>&1
  date >"$venv/installed"
}
