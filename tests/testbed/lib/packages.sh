# Debian packages: only what is missing, and no package may start its daemon.

installed() {
  dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 "$@" >>"$LOGS/apt.log" 2>&1
}

install_packages() { # SERVICE...
  local service package missing=() guard=/usr/sbin/policy-rc.d guarded=no
  for service in "$@"; do
    for package in openssl $("packages_$service"); do
      installed "$package" || missing+=("$package")
    done
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

# Node.js 20 or newer, which oidc-provider 9 asks for. Debian 12's own is 18: then npm brings a newer one.
node_command() {
  local own=$DIR/node/runtime/node_modules/node/bin/node
  if [ "$(node -p 'parseInt(process.versions.node)')" -ge 20 ]; then
    command -v node
    return
  fi
  if [ ! -x "$own" ]; then
    mkdir -p "$DIR/node/runtime"
    npm install --prefix "$DIR/node/runtime" --no-audit --no-fund node@22 >>"$LOGS/npm.log" 2>&1 || return 1
  fi
  echo "$own"
}

# The scripts of this directory together with the npm packages they need, in $DIR/node.
install_scripts() {
  (
    flock 8
    mkdir -p "$DIR/node"
    cp -r "$HERE/openid" "$HERE/sink" "$DIR/node/"
    cmp -s "$HERE/package.json" "$DIR/node/package.json" && [ -d "$DIR/node/node_modules" ] && exit 0
    cd "$DIR/node" || exit 1
    cp "$HERE/package.json" .
    npm install --no-audit --no-fund --no-package-lock >>"$LOGS/npm.log" 2>&1 || { rm -f package.json; exit 1; }
  ) 8>"$DIR/node.lock" || { say "npm could not install the packages of package.json; see $LOGS/npm.log" >&2; return 1; }
}
