#!/usr/bin/env bash
# Ends exactly what up.sh FOLDER started, by the pid files that it wrote. A zombie counts as gone.
S=$1
alive() { local s; s=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) && [ -n "$s" ] && [ "$s" != Z ]; }
end() {
  local p
  for f in "$@"; do
    [ -f "$f" ] && p=$(cat "$f") && [ -n "$p" ] && alive "$p" && kill "$p" && pids="$pids $p"
  done
}
pids=""
if [ "$(readlink /etc/slurm/slurm.conf)" = "$S/slurm.conf" ]; then
  timeout 10 scancel --user=root 2>/dev/null
  end "$S"/run/slurmd.*.pid "$S/run/slurmctld.pid"
fi
end "$S"/run/sshd.*.pid
for p in $pids; do
  for _ in $(seq 200); do alive "$p" || break; sleep 0.05; done
  alive "$p" && kill -9 "$p"
done
end "$S/run/munged.pid"
[ "$(readlink /etc/slurm/slurm.conf)" = "$S/slurm.conf" ] && rm /etc/slurm/slurm.conf
true
