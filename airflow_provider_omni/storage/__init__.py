"""Storage in Airflow for entries that must outlive a try or a copy of a trigger. `delivery/` decides what is stored."""
