#!/usr/bin/env bash
# Runs the object store's integration tests against MinIO in a container of its own, which goes with its data.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
docker/make-env.sh "$folder/env"
OBJECT_STORE_PORT=$(.venv/bin/python -c "from local_stack.ports import free_ports; print(free_ports(1)[0])")
export OBJECT_STORE_PORT

compose() {
    docker compose --project-name causal-tasks-test --env-file "$folder/env" "$@"
}

finish() {
    compose --profile minio down --volumes
    rm -r "$folder"
}
trap finish EXIT

compose up --detach --wait minio
# shellcheck source=/dev/null
source "$folder/env"
export CAUSAL_TEST_S3_ENDPOINT=http://127.0.0.1:$OBJECT_STORE_PORT
export CAUSAL_TEST_S3_KEY=$S3_KEY CAUSAL_TEST_S3_SECRET=$S3_SECRET
CAUSAL_S3_ENDPOINT=$CAUSAL_TEST_S3_ENDPOINT CAUSAL_S3_KEY=$S3_KEY CAUSAL_S3_SECRET=$S3_SECRET \
    .venv/bin/python docker/create_bucket.py
.venv/bin/pytest tests/integration/test_object_store.py
