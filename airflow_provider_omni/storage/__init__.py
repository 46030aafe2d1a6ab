"""Where Airflow keeps things between tries: the task state store and the task's own XCom. Decides nothing."""
