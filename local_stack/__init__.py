"""PostgreSQL, an S3 server, Airflow and a stand-in for the group robot on this machine, without Docker."""
