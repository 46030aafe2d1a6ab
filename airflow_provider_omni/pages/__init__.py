"""The page 'OMNI deliveries' of Airflow's API server: its files, its one route, and the link that leads to it."""
