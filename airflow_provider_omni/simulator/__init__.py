"""A local OMNI server. Knows neither Airflow nor delivery."""
