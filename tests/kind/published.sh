#!/usr/bin/env bash
# Succeeds where there is a Docker that reaches image registries.
set -euo pipefail

image=gcr.io/distroless/python3-debian12:nonroot # One that operator/Dockerfile builds on.
docker info >/dev/null 2>&1
docker pull --quiet "$image" >/dev/null 2>&1
