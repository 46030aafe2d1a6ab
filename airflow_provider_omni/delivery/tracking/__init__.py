"""The wait: reports and logs are read, written down, and counted until the verdict falls."""
