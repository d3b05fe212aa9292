"""Makes the ``causal_airflow`` package known to Airflow."""

from airflow.plugins_manager import AirflowPlugin


class CausalAirflowPlugin(AirflowPlugin):
    """Causal subpopulation mining."""

    name = "causal_airflow"
