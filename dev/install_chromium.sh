#!/bin/sh
# The browser of `make test-browser`: Debian's chromium when root, else it says how. One that is already there is taken.
set -eu

for name in "${OMNI_CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name" >/dev/null; then exit 0; fi
done

if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    cat >&2 <<MESSAGE
The tests in a browser need Chromium.
  Debian:         sudo apt-get install --no-install-recommends chromium
  anything else:  have chromium or google-chrome on PATH, or its path in OMNI_CHROMIUM
MESSAGE
    exit 1
fi

echo "Installing chromium"
apt-get update -q
# Fonts: what is not Latin would be boxes in pictures.
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    chromium fonts-noto-core fonts-noto-color-emoji fonts-vlgothic
