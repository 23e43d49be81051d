"""MLflow runs to pandas frames, verdicts, tables and reports. Never imports Ray."""
