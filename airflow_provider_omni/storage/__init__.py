"""Where Airflow keeps things between tries and copies of a trigger. What is kept is `delivery/`'s business."""
