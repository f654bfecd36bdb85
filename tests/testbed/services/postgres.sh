# PostgreSQL: the machine's own on port 5432 if it lets us make a role, else one with its data in $DIR/postgres.
# Tests make and drop their own databases; the role may do that and no more.
POSTGRES_ROLE=postroom_testbed
POSTGRES_PASSWORD=postroom-testbed

packages_postgres() { echo postgresql; }

ports_postgres() {
  if running postgres; then echo "$OWN_POSTGRES_PORT"; else echo 5432; fi
}

start_postgres() {
  local port=5432
  if ! { listening $port && make_postgres_role $port; }; then
    port=$OWN_POSTGRES_PORT
    start_own_postgres
    make_postgres_role "$port"
  fi
  echo "postgres://$POSTGRES_ROLE:$POSTGRES_PASSWORD@127.0.0.1:$port/postgres" >"$RUN/postgres.url"
}

# make_postgres_role PORT: over TCP where that is trusted, else as the server's own user over its socket.
make_postgres_role() {
  local sql="DO \$\$ BEGIN
    CREATE ROLE $POSTGRES_ROLE LOGIN CREATEDB PASSWORD '$POSTGRES_PASSWORD';
  EXCEPTION WHEN duplicate_object THEN NULL; END \$\$"
  (
    cd /
    psql -wqX -h 127.0.0.1 -p "$1" -U postgres -d postgres -c "$sql" ||
      runuser -u postgres -- psql -wqX -p "$1" -d postgres -c "$sql"
  ) >>"$LOGS/postgres.log" 2>&1
}

start_own_postgres() {
  local data=$DIR/postgres programs
  programs=$(dirname "$(ls /usr/lib/postgresql/*/bin/postgres | sort -V | tail -1)")
  mkdir -p "$data"
  chown postgres "$data"
  chmod 700 "$data"
  cd /
  [ -s "$data/PG_VERSION" ] ||
    runuser -u postgres -- "$programs/initdb" -D "$data" -E UTF8 --locale C.UTF-8 -A trust --no-sync >>"$LOGS/postgres.log" 2>&1
  launch postgres setpriv --reuid postgres --regid postgres --init-groups \
    "$programs/postgres" -D "$data" -p "$OWN_POSTGRES_PORT" -c listen_addresses=127.0.0.1 \
    -c "unix_socket_directories=$data" -c fsync=off -c max_connections=200
  wait_for_port postgres "$OWN_POSTGRES_PORT"
  local tries
  for tries in $(seq 50); do
    psql -wqX -h 127.0.0.1 -p "$OWN_POSTGRES_PORT" -U postgres -d postgres -c 'SELECT 1' >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  return 1
}

# INT is PostgreSQL's fast shutdown; TERM would wait for every client to leave.
# On the machine's own server only what tests left behind is dropped.
stop_postgres() {
  local url database
  if running postgres; then stop postgres INT; return; fi
  [ -s "$RUN/postgres.url" ] || return 0
  url=$(cat "$RUN/postgres.url")
  for database in $(psql -wqXAt "$url" -c "SELECT datname FROM pg_database JOIN pg_roles r ON r.oid = datdba
      WHERE rolname = '$POSTGRES_ROLE' AND datname LIKE 'postroom\_test\_%'" 2>>"$LOGS/postgres.log"); do
    psql -wqX "$url" -c "DROP DATABASE IF EXISTS \"$database\" WITH (FORCE)" >>"$LOGS/postgres.log" 2>&1
  done
  rm -f "$RUN/postgres.url"
}
