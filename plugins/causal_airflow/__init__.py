"""What Airflow needs beyond the library: stages as tasks, what to mine next, and the message to the group."""
