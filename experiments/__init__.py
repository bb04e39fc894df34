"""The harness around tinynet: Hydra says what to run, MLflow holds what happened."""
