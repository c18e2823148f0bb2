#!/bin/sh
# What the agent wrote under /var/lib/mirrorscope, and its account, stay: they are not ours to delete.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
exit 0
