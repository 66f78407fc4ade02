#!/usr/bin/env bash
# Runs a command and counts it, then judges. Everything it is told comes by the environment.
set -euo pipefail

code=0
if [[ -n ${DEESPEC_RUN:-} ]]; then
  deespec run --name "${GITHUB_JOB:-job}" -- bash -euo pipefail -c "$DEESPEC_RUN" || code=$?
fi

verdict=none
if [[ ${DEESPEC_CHECK:-true} == true ]]; then
  # Where nothing was counted there is no store, and the gate judges what has no data.
  deespec init >/dev/null
  # With this form it also writes into the step's summary.
  arguments=(doctor --check-thresholds --format github)
  if [[ -n ${DEESPEC_HISTORY:-} ]]; then
    arguments+=(--history "$DEESPEC_HISTORY")
  fi
  judged=0
  deespec "${arguments[@]}" || judged=$?
  case $judged in
    0) verdict=pass ;;
    1) verdict=fail ;;
    2) verdict=warn ;;
    *) verdict=error ;;
  esac
fi
echo "verdict=$verdict" >>"$GITHUB_OUTPUT"

# The command's own outcome goes first: the gate has judged it, and has not made it right.
if [[ $code -ne 0 ]]; then
  exit "$code"
fi
case $verdict in
  pass | warn | none) exit 0 ;;
  fail) exit 1 ;;
  *) exit 3 ;;
esac
