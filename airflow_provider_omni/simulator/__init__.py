"""A local OMNI server. Knows neither Airflow nor delivery.

Nothing is imported here: the pytest plugin lives in this package, and pytest imports it in every project that has the
provider installed. Start with `engine.Simulator` (in process), `running.running_simulator` (a real socket) or
`python -m airflow_provider_omni.simulator`.
"""
