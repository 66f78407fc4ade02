#!/usr/bin/env bash
# Downloads a release of deespec, checks it, and puts it on the PATH of the steps that follow.
set -euo pipefail

fail() {
  echo "::error::$*"
  exit 1
}

version=${DEESPEC_VERSION:-}
if [[ -z $version ]]; then
  # This action, used as @v0.1.0, installs that.
  version=${ACTION_REF:-}
fi
version=${version#v}
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] ||
  fail "say which release of deespec to install, as version: 0.1.0; '$version' is none"

case $(uname -s)-$(uname -m) in
  Linux-x86_64) target=x86_64-unknown-linux-gnu ;;
  Linux-aarch64) target=aarch64-unknown-linux-gnu ;;
  *) fail "there is no deespec for $(uname -s) on $(uname -m)" ;;
esac

# Where this action is at home, its releases are.
releases=${DEESPEC_RELEASES:-${GITHUB_SERVER_URL:-}/${ACTION_REPOSITORY:-}/releases/download}
name=deespec-cli-$version-$target
folder=$(mktemp -d "${RUNNER_TEMP:-/tmp}/deespec.XXXXXX")
cd "$folder"
for file in "$name.tar.gz" "$name.tar.gz.sha256"; do
  curl --fail --silent --show-error --location --retry 3 --output "$file" "$releases/v$version/$file" ||
    fail "cannot get $releases/v$version/$file"
done
# Before anything of it is used. The list names this archive and no other.
grep -Eqx "[0-9a-f]{64}  $name\.tar\.gz" "$name.tar.gz.sha256" || fail "$name.tar.gz.sha256 is no checksum of it"
sha256sum --check --strict --quiet "$name.tar.gz.sha256" || fail "$name.tar.gz is not what was released"
tar -xzf "$name.tar.gz"
"./$name/deespec" --version
echo "$folder/$name" >>"$GITHUB_PATH"
