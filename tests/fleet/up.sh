#!/usr/bin/env bash
# A SLURM of three nodes and two sshd, all on loopback, all under FOLDER: up.sh FOLDER PORT...  (controller, three nodes, two sshd)
# No systemd, no cgroups, no database; own keys, own sockets. down.sh FOLDER ends exactly what was started here.
set -euo pipefail
S=$1; shift
PORTS=("$@")
# Snakemake's job steps drop SLURM_CONF, so SLURM's files must be where they are looked for; somebody's own are left alone.
case "$(readlink /etc/slurm/slurm.conf)" in
  /tmp/fleet-*/daemons/slurm.conf) # of a test that was killed
    "$(dirname "$0")/down.sh" "$(dirname "$(readlink /etc/slurm/slurm.conf)")" ;;
esac
if [ -e /etc/slurm/slurm.conf ] || [ -L /etc/slurm/slurm.conf ]; then echo "there is a /etc/slurm/slurm.conf already" >&2; exit 3; fi
mkdir -p "$S"/{state,log,spool,run} /etc/slurm /run/sshd
install -d -m 0700 "$S/munge" "$S/ssh"
dd if=/dev/urandom of="$S/munge/key" bs=128 count=1 status=none
chmod 600 "$S/munge/key"
{
  cat <<C
ClusterName=bench
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$S/run/munge.sock
CredType=cred/munge
SlurmctldPort=${PORTS[0]}
StateSaveLocation=$S/state
SlurmdSpoolDir=$S/spool/%n
SlurmctldPidFile=$S/run/slurmctld.pid
SlurmdPidFile=$S/run/slurmd.%n.pid
SlurmctldLogFile=$S/log/slurmctld.log
SlurmdLogFile=$S/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0
MinJobAge=300
SlurmctldTimeout=30
SlurmdTimeout=30
C
  for i in 1 2 3; do
    echo "NodeName=m$i NodeHostname=localhost NodeAddr=127.0.0.1 Port=${PORTS[$i]} CPUs=1 RealMemory=1000 Feature=node$i State=UNKNOWN"
  done
  echo "PartitionName=bench Nodes=m[1-3] Default=YES MaxTime=60 State=UP OverSubscribe=NO"
} > "$S/slurm.conf"
ln -s "$S/slurm.conf" /etc/slurm/slurm.conf

munged --key-file="$S/munge/key" --socket="$S/run/munge.sock" --pid-file="$S/run/munged.pid" --log-file="$S/log/munged.log" \
  --seed-file="$S/munge/seed" --num-threads=2 --force
slurmctld -f "$S/slurm.conf"
for i in 1 2 3; do slurmd -N "m$i" -f "$S/slurm.conf"; done

ssh-keygen -q -t ed25519 -N '' -f "$S/ssh/host"
ssh-keygen -q -t ed25519 -N '' -f "$S/ssh/id"
ssh-keygen -q -t ed25519 -N '' -f "$S/ssh/stranger"
cp "$S/ssh/id.pub" "$S/ssh/authorized"
chmod 600 "$S/ssh/authorized"
for host in a b; do
  port=${PORTS[4]}; [ $host = a ] || port=${PORTS[5]}
  cat > "$S/ssh/sshd.$host" <<C
ListenAddress 127.0.0.1
Port $port
HostKey $S/ssh/host
PidFile $S/run/sshd.$host.pid
AuthorizedKeysFile $S/ssh/authorized
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
MaxStartups 50
Subsystem sftp internal-sftp
C
  cat >> "$S/ssh/config" <<C
Host $host
  HostName 127.0.0.1
  Port $port
  User root
  IdentityFile $S/ssh/id
  IdentitiesOnly yes
  UserKnownHostsFile $S/ssh/known_hosts
  StrictHostKeyChecking accept-new
C
  /usr/sbin/sshd -f "$S/ssh/sshd.$host" -E "$S/log/sshd.$host.log"
done
sed "s#ssh/id\$#ssh/stranger#" "$S/ssh/config" > "$S/ssh/config.stranger"

for _ in $(seq 300); do
  [ "$(sinfo -h -o %T -N 2>/dev/null | grep -c '^idle')" = 3 ] && exit 0
  sleep 0.1
done
sinfo -N -l >&2
exit 1
