"""`python -m airflow_provider_omni`: the commands, without Airflow's own command line."""

import sys

from airflow_provider_omni.cli.program import main

if __name__ == "__main__":
    sys.exit(main())
