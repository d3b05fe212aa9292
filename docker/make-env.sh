#!/bin/sh
# Writes the variables of docker-compose.yml with new random secrets: make-env.sh FILE. Never replaces a file.
set -eu

random_hex() {
    od -An -v -N"$1" -tx1 /dev/urandom | tr -d ' \n'
}

umask 077
set -C
{
    for name in POSTGRES_PASSWORD REDIS_PASSWORD AIRFLOW_ADMIN_PASSWORD S3_SECRET; do
        echo "$name=$(random_hex 20)"
    done
    for name in AIRFLOW_API_SECRET_KEY AIRFLOW_JWT_SECRET; do
        echo "$name=$(random_hex 64)"
    done
    echo "AIRFLOW_FERNET_KEY=$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')"
    echo "S3_KEY=lake-$(random_hex 6)"
    echo "# The part after key= in the address of the group robot."
    echo "WECOM_KEY="
    echo "# The object store: minio or seaweedfs; gpu adds the GPU worker and needs CAUSAL_DEVICE=cuda."
    echo "COMPOSE_PROFILES=minio"
    echo "CAUSAL_DEVICE=cpu"
} > "$1"
