# Debian packages: only what is missing, and no package may start its daemon.

installed() {
  dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 "$@" >>"$LOGS/apt.log" 2>&1
}

install_packages() { # SERVICE...
  local service package missing=() guard=/usr/sbin/policy-rc.d guarded=no
  for package in $({ echo openssl; for service in "$@"; do "packages_$service"; done; } | tr ' ' '\n' | sort -u); do
    installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  if [ ! -e $guard ]; then
    printf '#!/bin/sh\nexit 101\n' >$guard
    chmod 755 $guard
    guarded=yes
  fi
  echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
  apt_get update
  apt_get install -y --no-install-recommends "${missing[@]}"
  local result=$?
  [ $guarded = no ] || rm -f $guard
  [ $result = 0 ] || fail "apt-get could not install ${missing[*]}; see $LOGS/apt.log"
}

# Node.js, in $DIR/node: the scripts of this directory, the npm packages they need and, if the machine's own Node.js is
# older than 20 as Debian 12's is, a newer one. Two services want it and start at once: one installs, the other waits.
NODE_HOME=$DIR/node
OWN_NODE=$NODE_HOME/runtime/node_modules/node/bin/node

install_scripts() {
  mkdir -p "$NODE_HOME/runtime"
  (
    flock 8
    set -e
    cp -r "$HERE/openid" "$HERE/sink" "$NODE_HOME/"
    machine_node_suffices || [ -x "$OWN_NODE" ] || npm_install "$NODE_HOME/runtime" node@22
    if ! cmp -s "$HERE/package.json" "$NODE_HOME/package.json" || [ ! -e "$NODE_HOME/installed" ]; then
      rm -f "$NODE_HOME/installed"
      cp "$HERE/package.json" "$NODE_HOME/"
      npm_install "$NODE_HOME"
      date >"$NODE_HOME/installed"
    fi
  ) 8>"$NODE_HOME/lock"
}

npm_install() { # DIRECTORY [PACKAGE]
  npm install --prefix "$@" --no-audit --no-fund --no-package-lock >>"$LOGS/npm.log" 2>&1 && return 0
  say "npm could not install ${2:-the packages of package.json}; see $LOGS/npm.log" >&2
  return 1
}

machine_node_suffices() {
  [ "$(node -p 'parseInt(process.versions.node)')" -ge 20 ]
}

node_command() {
  if machine_node_suffices; then command -v node; else echo "$OWN_NODE"; fi
}
