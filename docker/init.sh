#!/usr/bin/env bash
# Makes what the services need before they start: bucket, database, administrator, pools. Safe to repeat.
set -euo pipefail

folder=$(dirname "$0")
python "$folder/create_bucket.py"
airflow db migrate
# Changes nothing where the user exists.
airflow users create --role Admin --username admin --password "$AIRFLOW_ADMIN_PASSWORD" \
    --firstname Airflow --lastname Administrator --email admin@localhost.localdomain
airflow pools import "$folder/pools.json"
