# Processes. A service runs in the foreground in a session of its own; its pid is kept together with its
# start time, so that a pid which the system has given to somebody else is never taken for ours.

start_time() { # PID
  sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
}

recorded_pid() { # SERVICE
  cut -d' ' -f1 "$RUN/$1.pid"
}

running() { # SERVICE
  local pid started
  [ -s "$RUN/$1.pid" ] || return 1
  read -r pid started <"$RUN/$1.pid"
  [ "$(start_time "$pid")" = "$started" ] && ! zombie "$pid"
}

zombie() { # PID: dead, but nobody has asked for its exit code, and so it still has a /proc entry
  grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

record() { # SERVICE PID
  echo "$2 $(start_time "$2")" >"$RUN/$1.pid"
}

launch() { # SERVICE COMMAND...
  local service=$1
  shift
  setsid "$@" >>"$LOGS/$service.log" 2>&1 </dev/null &
  record "$service" $!
}

stop() { # SERVICE [SIGNAL]: asks, waits up to 15 s, then kills what is left of the session
  local pid tries
  running "$1" || { rm -f "$RUN/$1.pid"; return 0; }
  pid=$(recorded_pid "$1")
  kill -"${2:-TERM}" "$pid" 2>/dev/null
  for tries in $(seq 150); do
    running "$1" || break
    sleep 0.1
  done
  kill -KILL -- "-$pid" 2>/dev/null
  rm -f "$RUN/$1.pid"
  say "stopped $1"
}

listening() { # PORT [HOST]
  (exec 3<>"/dev/tcp/${2:-127.0.0.1}/$1") 2>/dev/null
}

wait_for_port() { # SERVICE PORT [SECONDS]
  local tries
  for tries in $(seq $((${3:-20} * 10))); do
    listening "$2" && return 0
    sleep 0.1
  done
  say "$1: nothing listens on port $2; its last words:" >&2
  tail -5 "$LOGS/$1.log" >&2
  return 1
}

wrapper() { # NAME: reads a shell script from stdin and makes it a command in $BIN
  { echo '#!/bin/bash'; cat; } >"$BIN/$1.new"
  chmod 755 "$BIN/$1.new"
  mv "$BIN/$1.new" "$BIN/$1"
}
