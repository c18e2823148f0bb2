#!/bin/sh
# Makes the agent's account and folder. The service is not started: first look at /etc/mirrorscope/mirrorscope.toml.
set -e
command -v systemd-sysusers > /dev/null && systemd-sysusers mirrorscope.conf
command -v systemd-tmpfiles > /dev/null && systemd-tmpfiles --create mirrorscope.conf
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  /usr/lib/systemd/systemd-sysctl /usr/lib/sysctl.d/60-mirrorscope.conf || true
  # An upgrade drains the old program before the new one starts.
  systemctl --no-block try-restart mirrorscope.service
fi
exit 0
