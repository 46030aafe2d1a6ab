"""TaskFlow: functions whose return value is what is sent."""
