#!/bin/sh
# `remove` is dpkg's word, 0 that of rpm, where the package goes and no newer one comes in its place.
set -e
case "$1" in
  remove | 0)
    if [ -d /run/systemd/system ]; then
      systemctl --no-block disable --now mirrorscope.service mirrorscope-lifecycle.service
    fi
    ;;
esac
exit 0
