// Steps: leave a host with a running job alone, and find or install Docker.
// Must not install over what is there: the AMI's Docker is the operator's choice.
// Trap: Debian's dockerd is /usr/sbin/dockerd, Docker's own packages have /usr/bin/dockerd: look, don't assume.
import { EXIT_BUSY, quote, step } from './shell.ts';

/** docker-machine's default of engine-install-url; it knows no Amazon Linux, which has a package of its own. */
export const DEFAULT_INSTALL_URL = 'https://get.docker.com';

/** Ends with EXIT_BUSY when this host was dressed before and a runner's container runs: a restart of Docker would kill it. */
export function guardJobs(): string {
  return step(
    'guard-jobs',
    `
if [ -e /etc/systemd/system/docker.service.d/10-machine.conf ] && [ -S /var/run/docker.sock ]; then
  if command -v docker >/dev/null 2>&1; then running=$(timeout 10 docker ps --no-trunc --format '{{.Labels}}' 2>/dev/null)
  elif command -v curl >/dev/null 2>&1; then running=$(curl -s -m 10 --unix-socket /var/run/docker.sock http://docker/containers/json 2>/dev/null)
  else running=; fi
  case $running in *com.gitlab.gitlab-runner.*) printf 'hostler-failed: a job runs on this host\\n' >&2; exit ${EXIT_BUSY} ;; esac
fi
`,
  );
}

/** Sets $dockerd. Installs by the operator's URL, on Amazon Linux by its package unless another URL was given. */
export function installDocker(url: string): string {
  return step(
    'install-docker',
    `
if ! command -v dockerd >/dev/null 2>&1; then
  url=${quote(url)}
  [ "$url" != none ] || fail 'no dockerd on this AMI, and engine-install-url is none'
  log=/var/log/hostler-install.log
  distro=$(. /etc/os-release 2>/dev/null && echo "\${ID:-}")
  if [ -d /etc/apt/apt.conf.d ]; then echo 'DPkg::Lock::Timeout "300";' >/etc/apt/apt.conf.d/99hostler; fi
  if [ "$distro" = amzn ] && [ "$url" = ${quote(DEFAULT_INSTALL_URL)} ]; then
    if command -v dnf >/dev/null 2>&1; then dnf install -y docker >"$log" 2>&1
    else yum install -y docker >"$log" 2>&1 || amazon-linux-extras install -y docker >>"$log" 2>&1; fi || fail "installing docker failed: $(tail -n 2 "$log" | tr '\\n' ' ')"
  else
    if ! command -v curl >/dev/null 2>&1; then
      { if command -v apt-get >/dev/null 2>&1; then apt-get update && apt-get install -y --no-install-recommends curl ca-certificates
        elif command -v dnf >/dev/null 2>&1; then dnf install -y curl
        else yum install -y curl; fi; } >"$log" 2>&1 || fail "installing curl failed: $(tail -n 2 "$log" | tr '\\n' ' ')"
    fi
    curl -fsSL --retry 3 --retry-delay 1 -m 120 -o /run/hostler-install.sh "$url" 2>"$log" || fail "cannot fetch $url: $(tail -n 1 "$log")"
    sh /run/hostler-install.sh >>"$log" 2>&1 || fail "the script of $url failed: $(tail -n 2 "$log" | tr '\\n' ' ')"
  fi
fi
dockerd=$(command -v dockerd) || fail 'no dockerd on this host, also after installing'
`,
  );
}
