#!/bin/sh
# Print the path of a Chromium for the browser tests: CHENGSHU_CHROMIUM, one on the PATH, or (as root on Debian or
# Ubuntu) one installed now. Everything else is written to stderr.
set -eu

works() {
    [ -n "$1" ] && command -v "$1" >/dev/null 2>&1 && "$1" --version >/dev/null 2>&1
}

found() {
    command -v "$1"
    exit 0
}

if [ -n "${CHENGSHU_CHROMIUM:-}" ]; then
    works "$CHENGSHU_CHROMIUM" && found "$CHENGSHU_CHROMIUM"
    echo "CHENGSHU_CHROMIUM=$CHENGSHU_CHROMIUM is not a browser that runs; correct or unset it." >&2
    exit 1
fi

for name in chromium chromium-browser google-chrome google-chrome-stable; do
    works "$name" && found "$name"
done

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing Chromium for the browser tests …" >&2
    {
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk
    } >&2
    works chromium && found chromium
fi

cat >&2 <<'MESSAGE'
There is no Chromium for the browser tests.
Install one (Debian: apt-get install chromium fonts-noto-cjk), or name one with CHENGSHU_CHROMIUM=/path/to/chromium.
MESSAGE
exit 1
